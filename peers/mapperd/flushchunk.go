package mapperd

import (
	"errors"
	"slices"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
)

// Tuning.
const (
	// groupChunks bounds how many chunks are written at the same time, and the memory for that.
	groupChunks = 16
	// appendMin is the size of the append part, in bytes, below which no chunk is compacted.
	appendMin = 64 << 10
)

func sortChunks(chunks []*cutChunk) {
	slices.SortFunc(chunks, func(a, b *cutChunk) int { return int(a.no - b.no) })
}

// storeChunks makes the entries of a cut durable in their chunks.
func (v *volume) storeChunks(c *cut) error {
	for group := range slices.Chunk(c.chunks, groupChunks) {
		if err := v.storeGroup(c, group); err != nil {
			return err
		}
	}
	return nil
}

// storeGroup appends where it can. Whatever an append fails with (a torn tail, an answer that was
// lost, a failed sync), a new base in place of the file is right; if that fails too, the flush has.
func (v *volume) storeGroup(c *cut, group []*cutChunk) error {
	v.settle(group)
	v.appendGroup(group)
	return v.writeBases(c, group)
}

// each runs one operation per chunk that begin returns one for, and calls end with its error.
func (v *volume) each(group []*cutChunk, begin func(*cutChunk) *blocker.Op, end func(*cutChunk, error)) {
	var ops []*blocker.Op
	var of []*cutChunk
	for _, ch := range group {
		if op := begin(ch); op != nil {
			op.Volume = v.uuid
			ops, of = append(ops, op), append(of, ch)
		}
	}
	for i, err := range v.e.doAll(v.e.cfg.Maps, ops) {
		end(of[i], err)
	}
}

// settle cuts torn tails off, before the first append to a file that another process may have
// appended to. It makes the file durable as well: an append must rest on durable records, and what
// was read may have come from a page cache.
func (v *volume) settle(group []*cutChunk) {
	v.each(group, func(ch *cutChunk) *blocker.Op {
		if ch.file == nil || ch.settled {
			return nil
		}
		return &blocker.Op{
			Kind: blocker.TruncateTail, Name: mapfmt.ChunkName(ch.file.ID), Offset: ch.file.Length,
		}
	}, func(ch *cutChunk, err error) {
		if err != nil {
			ch.fail()
			return
		}
		ch.file.Torn, ch.settled = 0, true
	})
}

// fail makes the chunk one that gets a new base.
func (ch *cutChunk) fail() { ch.file, ch.settled = nil, false }

// appendGroup appends the cut's entries to the files of the chunks, and syncs them.
func (v *volume) appendGroup(group []*cutChunk) {
	batches := map[*cutChunk]int{}
	v.each(group, func(ch *cutChunk) *blocker.Op {
		data, n := v.appendBytes(ch)
		if n == 0 {
			return nil
		}
		batches[ch] = n
		return &blocker.Op{
			Kind: blocker.Append, Name: mapfmt.ChunkName(ch.file.ID), Offset: ch.file.Length, Data: data,
		}
	}, func(ch *cutChunk, err error) {
		if err != nil {
			ch.fail()
		}
	})
	v.each(group, func(ch *cutChunk) *blocker.Op {
		if ch.file == nil || batches[ch] == 0 || v.e.cfg.faults.skipChunkSync {
			return nil
		}
		return &blocker.Op{Kind: blocker.Sync, Name: mapfmt.ChunkName(ch.file.ID)}
	}, func(ch *cutChunk, err error) {
		if err != nil {
			ch.fail()
		}
	})
	for ch, n := range batches {
		if ch.file != nil {
			ch.file.Advance(n)
		}
	}
}

// appendBytes returns the records to append and their number; 0 makes the chunk one that gets a new
// base: it has no file of the present epoch, or appending doesn't pay or isn't possible.
func (v *volume) appendBytes(ch *cutChunk) ([]byte, int) {
	if ch.file == nil {
		return nil, 0
	}
	values := ch.values
	if v.e.cfg.faults.flushPresent {
		values = v.presentOf(ch)
	}
	var batch []mapfmt.IndexedEntry
	for i := range mapfmt.ChunkEntries {
		if ch.dirty.has(i) {
			batch = append(batch, mapfmt.IndexedEntry{Index: i, Entry: values.Get(i)})
		}
	}
	appended := (int64(ch.file.Records) + int64(len(batch))) * mapfmt.RecordBytes
	base := ch.file.Length - int64(ch.file.Records)*mapfmt.RecordBytes
	if appended > max(base, appendMin) {
		ch.fail()
		return nil, 0
	}
	data, err := ch.file.AppendBytes(nil, batch)
	if err != nil {
		ch.fail()
		return nil, 0
	}
	return data, len(batch)
}

// presentOf is what a wrong flush would write.
func (v *volume) presentOf(ch *cutChunk) *mapfmt.Chunk {
	v.mu.Lock()
	defer v.mu.Unlock()
	return ch.entries.Clone()
}

// writeBases writes a new file for each chunk that has none to append to. It replaces whatever has
// the name: a file that no record names, of a flush that was killed, or one to be compacted.
func (v *volume) writeBases(c *cut, group []*cutChunk) error {
	files := map[*cutChunk]*mapfmt.ChunkFile{}
	var failed error
	own := mapfmt.Owner{UUID: v.uuid, Epoch: c.rec.Epoch}
	v.each(group, func(ch *cutChunk) *blocker.Op {
		if ch.file != nil {
			return nil
		}
		values := ch.values
		if v.e.cfg.faults.flushPresent {
			values = v.presentOf(ch)
		}
		id := own.At(ch.no)
		data, file, err := mapfmt.EncodeChunk(id, c.rec.ObjectSize, mapfmt.NewBirth(), values)
		if err != nil {
			failed = errors.Join(failed, err)
			return nil
		}
		files[ch] = file
		return &blocker.Op{Kind: blocker.Replace, Name: mapfmt.ChunkName(id), Data: data}
	}, func(ch *cutChunk, err error) {
		if err != nil {
			failed = errors.Join(failed, err)
			return
		}
		ch.file, ch.settled = files[ch], true
	})
	return failed
}
