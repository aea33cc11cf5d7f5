package mapperd

import (
	"math/bits"

	"archipelago/internal/mapfmt"
)

// relieveLog makes room in a log that is half full: by leaving out what newer records have replaced
// where that helps, because a flush syncs data that nobody may have asked to be synced, and by a
// flush else. v.mu is held.
func (v *volume) relieveLog() {
	if v.compactLog() {
		return
	}
	v.flushSoon()
}

// compactLog appends the present value of each entry that isn't stored, and then forgets all that
// was logged before, in one store: a process that is killed in between leaves records twice, which
// say the same. false: there is too little to gain, or a flush runs, which trims the log itself by
// the numbers that it has seen. v.mu is held.
//
// Every record that counts is one of a dirty entry, for entries are logged whole, and one that was
// stored is trimmed by the flush that stored it. A log is compacted when half full, down to a
// quarter at most: each commit pays for one more record at most.
func (v *volume) compactLog() bool {
	if v.cutting { // before anything is counted: commits come here one after the other then
		return false
	}
	live := 0
	for _, c := range v.dirty {
		live += c.dirty.count()
	}
	if live > int(v.log.header.Slots)/4 {
		return false
	}
	first := v.log.next
	for _, c := range v.dirty {
		for i := c.dirty.next(0); i < mapfmt.ChunkEntries; i = c.dirty.next(i + 1) {
			e := c.entries.Get(i)
			if err := v.log.append(c.no*mapfmt.ChunkEntries+int64(i), &e); err != nil {
				// As when it was committed: can't be. What was appended is right, and stays.
				v.e.cfg.Log.Error("pending log can't be compacted", "volume", v.name, "error", err)
				return false
			}
		}
	}
	v.log.trim(first)
	return true
}

// count returns how many bits are set.
func (b *bitmap) count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// next returns the first set bit from i on; mapfmt.ChunkEntries if there is none.
func (b *bitmap) next(i int) int {
	for ; i < mapfmt.ChunkEntries; i = (i/64 + 1) * 64 {
		if w := b[i/64] >> (i % 64); w != 0 {
			return i + bits.TrailingZeros64(w)
		}
	}
	return mapfmt.ChunkEntries
}
