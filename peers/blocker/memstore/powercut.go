package memstore

import (
	"maps"
	"slices"
)

// Clone returns a store that is this one's equal and shares nothing that changes, as if every
// process had been killed now: what isn't synced is still seen. Injected faults aren't cloned, what
// TearSectors says is.
func (s *Store) Clone() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := New()
	c.tear = s.tear
	maps.Copy(c.locks, s.locks)
	seen := map[*inode]*inode{nil: nil}
	clone := func(n *inode) *inode {
		if _, ok := seen[n]; !ok {
			seen[n] = n.clone()
		}
		return seen[n]
	}
	for name, e := range s.entries {
		d := &entry{now: clone(e.now), durable: clone(e.durable)}
		for _, n := range e.past {
			d.past = append(d.past, clone(n))
		}
		c.entries[name] = d
	}
	return c
}

// PowerCut returns what a power cut now could leave: of each name, of each block of 4 KiB (with
// TearSectors: of each 512 bytes) and of each size any state since its last sync, independently;
// unsynced appends are torn.
//
// choose(n) picks one of n outcomes (n > 1), 0 being the one that loses most and n-1 the one that
// loses nothing: rand.IntN does, and so does an enumeration. It is called in an order that depends
// on the store's content alone.
func (s *Store) PowerCut(choose func(n int) int) *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := New()
	c.tear = s.tear
	maps.Copy(c.locks, s.locks)
	for _, name := range s.names(func(*entry) bool { return true }) {
		e := s.entries[name]
		n := pick(choose, e.durable, e.past)
		if n == nil {
			continue
		}
		left := &inode{name: name, content: n.afterCut(choose, s.tear)}
		left.synced()
		c.entries[name] = &entry{now: left, durable: left}
	}
	return c
}

// pick chooses what is left of something that was durable as old and went through past since.
func pick[T any](choose func(n int) int, old T, past []T) T {
	if len(past) == 0 {
		return old
	}
	if i := choose(len(past) + 1); i > 0 {
		return past[i-1]
	}
	return old
}

func (n *inode) afterCut(choose func(n int) int, tear bool) content {
	c := n.durable.clone()
	c.size = pick(choose, n.durable.size, n.sizes)
	for _, i := range slices.Sorted(maps.Keys(n.past)) {
		if tear {
			c.setBlock(i, tornBlock(choose, n.durable.block(i), n.past[i]))
			continue
		}
		c.setBlock(i, pick(choose, n.durable.block(i), n.past[i]))
	}
	c.trim()
	if n.append && c.size > n.durable.size {
		c.tear(choose, n.durable.size)
	}
	return c
}

// sectorSize is what a disk writes as one.
const sectorSize = 512

// tornBlock picks for each sector of a block.
func tornBlock(choose func(n int) int, old []byte, past [][]byte) []byte {
	b := make([]byte, blockSize)
	for at := 0; at < blockSize; at += sectorSize {
		if from := pick(choose, old, past); from != nil {
			copy(b[at:at+sectorSize], from[at:])
		}
	}
	return b
}

// trim forgets what lies beyond the size.
func (c *content) trim() {
	size := c.size
	c.size = max(size, int64(len(c.blocks))*blockSize)
	c.cut(size)
}

// tear damages what was appended after synced: cut short, or zeros in place of its end.
func (c *content) tear(choose func(n int) int, synced int64) {
	const cutShort, whole = 0, 2 // 1: zeros
	how := choose(whole + 1)
	if how == whole {
		return
	}
	at := synced
	if room := c.size - synced; room > 1 {
		at += int64(choose(int(room)))
	}
	size := c.size
	c.cut(at)
	if how != cutShort {
		c.size = size
	}
}
