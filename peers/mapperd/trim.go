package mapperd

import (
	"fmt"
	"slices"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// finishTrim takes away what a shrink left beyond the end of the volume, so that it reads as zeros
// when the volume grows again: rows of the last page, entries of the last chunk, the tail of the
// last object. Only then the mark goes. A crash in between leaves the mark, and each step may be done
// again. Precondition: ctl is held, this node has the lock, the volume is frozen and flushed.
func (v *volume) finishTrim() error {
	if _, trim := v.record().Mark(mapfmt.FlagTrim); !trim {
		return nil
	}
	if err := v.trimPage(); err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	if err := v.trimEntries(); err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	if err := v.trimObject(); err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	if err := v.flush(); err != nil {
		return err
	}
	v.storing.Lock()
	defer v.storing.Unlock()
	if err := v.syncLastChunk(); err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	rec := v.record().Clone()
	rec.ClearMark(mapfmt.FlagTrim)
	if err := v.e.writeRecord(v.name, rec); err != nil {
		return err
	}
	v.mu.Lock()
	v.rec = rec
	v.mu.Unlock()
	return nil
}

// syncLastChunk makes the chunk durable that trimming may have found trimmed already: a predecessor
// may have been killed between its append and its sync, and what was read is from a page cache.
// Precondition: storing is held.
func (v *volume) syncLastChunk() error {
	rec := v.record()
	c, _, err := v.chunkFor(mapfmt.ObjectCount(rec.Size, rec.ObjectSize) - 1)
	if err != nil || c.file == nil || c.settled {
		return err
	}
	name := mapfmt.ChunkName(c.file.ID)
	op := blocker.Op{Kind: blocker.Sync, Volume: v.uuid, Name: name, Term: v.e.cfg.Term}
	return objectError(name, blocker.Do(v.e.cfg.Maps, &op))
}

// trimPage clears the rows of the last page that name chunks beyond the end.
func (v *volume) trimPage() error {
	v.storing.Lock()
	defer v.storing.Unlock()
	rec := v.record()
	from := rec.ChunkCount() % mapfmt.PageChunks
	at := int64(len(rec.Table)) - 1
	if !rec.IsPaged() || from == 0 || rec.Table[at].IsNone() {
		return nil
	}
	rows, err := v.pageRows(rec, at)
	if err != nil || !hasRows(rows, from) {
		return err
	}
	clear(rows[from:])
	own := mapfmt.Owner{UUID: v.uuid, Epoch: rec.Epoch}
	if err := v.e.writePage(own.At(at), rows); err != nil {
		return err
	}
	if rec.Table[at] != own {
		rec = rec.Clone()
		rec.Table[at] = own
		if err := v.e.writeRecord(v.name, rec); err != nil {
			return err
		}
	}
	v.mu.Lock()
	v.rec, v.pages[at] = rec, &page{rows, true}
	v.mu.Unlock()
	return nil
}

// trimEntries clears the entries of the last chunk that lie beyond the end.
func (v *volume) trimEntries() error {
	rec := v.record()
	end := mapfmt.ObjectCount(rec.Size, rec.ObjectSize)
	last := end / mapfmt.ChunkEntries * mapfmt.ChunkEntries
	if end == last {
		return nil
	}
	c, _, err := v.chunkFor(end - 1)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	own := v.own()
	for index := end; index < last+mapfmt.ChunkEntries; index++ {
		at := int(index - last)
		e := c.entries.Get(at)
		if e.IsZero() {
			continue
		}
		if err := v.set(c, at, &mapfmt.Entry{}); err != nil {
			return err
		}
		if e.IsOwn(own.UUID, own.Epoch) {
			v.forget(mapfmt.ObjectOf(index, e.Levels[0]))
		}
	}
	return nil
}

// trimObject makes the last object read as zeros from the end of the volume on.
func (v *volume) trimObject() error {
	rec := v.record()
	index := mapfmt.ObjectCount(rec.Size, rec.ObjectSize) - 1
	keep := rec.Size - index*v.objectSize
	if keep == v.objectSize {
		return nil
	}
	c, at, err := v.chunkFor(index)
	if err != nil {
		return err
	}
	v.mu.Lock()
	e, own := c.entries.Get(at), v.own()
	v.mu.Unlock()
	if e.IsZero() {
		return nil
	}
	trimmed, err := v.cutObject(index, e, own, keep)
	if err != nil || trimmed == e {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.set(c, at, &trimmed)
}

// cutObject makes the first keep bytes of an object the only ones that have data, in an object of
// the volume's own, and returns the entry for that. What others hold of it is copied: the last
// object of a volume is one, and after this it depends on nobody.
func (v *volume) cutObject(index int64, e mapfmt.Entry, own mapfmt.Owner, keep int64) (mapfmt.Entry, error) {
	cut := mapfmt.Entry{NumLevels: 1, Bottom: e.Bottom, Key: e.Key}
	cut.Levels[0] = mapfmt.Level{UUID: own.UUID, Epoch: own.Epoch, Birth: mapfmt.NewBirth()}
	if e.IsOwn(own.UUID, own.Epoch) {
		cut.Levels[0] = e.Levels[0]
	}
	target := &cut.Levels[0]
	name := mapfmt.ObjectName(mapfmt.ObjectOf(index, *target))
	ops, copied, err := v.cutCopies(index, &e, target, name, keep)
	if err != nil {
		return e, err
	}
	// What lies beyond is a hole; this also makes the object where nothing is copied.
	ops = append(ops, &blocker.Op{
		Kind: blocker.WriteZeroes, Volume: v.uuid, Name: name, Offset: keep, Length: v.objectSize - keep,
	})
	for _, op := range ops {
		op.Term = v.e.cfg.Term
		if err := blocker.Do(v.e.cfg.Blocks, op); err != nil {
			return e, objectError(op.Name, err)
		}
	}
	target.Mask |= copied | mapfmt.TouchedMask(v.objectSize, keep, v.objectSize-keep)
	if cut.Bottom == mapfmt.BottomZero {
		target.Mask = mapfmt.FullMask
	}
	return cut.Normalize(v.objectSize), nil
}

// cutCopies returns the copies of what lies before keep and isn't in the target yet, and the
// sub-blocks that they bring.
func (v *volume) cutCopies(index int64, e *mapfmt.Entry, target *mapfmt.Level, name string, keep int64) (ops []*blocker.Op, copied uint64, err error) {
	size := mapfmt.SubBlockSize(v.objectSize)
	for sub := int64(0); sub*size < keep; sub++ {
		level := e.Find(int(sub))
		n := min(size, keep-sub*size)
		switch {
		case level == mapfmt.AtBottom && e.Bottom != mapfmt.BottomZero && n < size:
			return nil, 0, fmt.Errorf("%w: its last object is one of content name", mapper.ErrUnknown)
		case level == mapfmt.AtBottom || e.Levels[level] == *target:
			continue
		}
		copied |= 1 << sub
		source := mapfmt.ObjectName(mapfmt.ObjectOf(index, e.Levels[level]))
		ops = append(ops, &blocker.Op{
			Kind: blocker.Copy, Volume: v.uuid, Name: name, Offset: sub * size, Length: n,
			Source: source, SourceOffset: sub * size,
		})
	}
	return slices.Clip(ops), copied, nil
}
