package mapperd

import (
	"slices"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// resize gives a volume, whose I/O the caller has stopped, another size.
func (e *Engine) resize(op *mapper.Op) error {
	if err := checkName(op.Name); err != nil {
		return err
	}
	defer e.names.lock(op.Name, "")()
	v, err := e.openLocked(op.Name, op.Volume, lockTake)
	if err != nil {
		return err
	}
	defer v.giveBack()
	v.ctl.Lock()
	defer v.ctl.Unlock()
	if err := v.resize(op); err != nil {
		return v.errorf("resize", err)
	}
	op.Info = v.info()
	return nil
}

// resize: precondition: ctl is held.
func (v *volume) resize(op *mapper.Op) error {
	if err := checkSize(op.Size, v.objectSize); err != nil {
		return err
	}
	again, err := v.startChange(op)
	if err != nil {
		return err
	}
	v.freeze()
	defer v.thaw()
	if !again {
		err = v.setSize(op)
	}
	if err != nil {
		return err
	}
	return v.finishTrim()
}

// setSize writes the record. Whether it grows or shrinks, what lay beyond an earlier end goes
// first: else it would be there again.
func (v *volume) setSize(op *mapper.Op) error {
	if err := v.flush(); err != nil {
		return err
	}
	if !v.e.cfg.faults.growUntrimmed {
		if err := v.finishTrim(); err != nil {
			return err
		}
	}
	rec := v.record().Clone()
	var gone []mapfmt.ObjectID
	if op.Size < rec.Size {
		var err error
		if gone, err = v.beyond(rec, op.Size); err != nil {
			return err
		}
		rec.SetMark(mapfmt.Mark{Flag: mapfmt.FlagTrim, Offset: op.Size})
	} else if v.e.cfg.faults.growUntrimmed {
		rec.ClearMark(mapfmt.FlagTrim)
	}
	if err := v.e.resizeTable(rec, op.Size); err != nil {
		return err
	}
	if err := v.change(rec, op.RequestID); err != nil {
		return err
	}
	v.e.deleteObjects(gone)
	return nil
}

// beyondMost bounds how many objects that a shrink frees are remembered, 40 bytes each, to delete
// them at once; the rest is garbage.
const beyondMost = 1 << 18

// beyond returns objects in the chunks that a shrink drops which nobody else can refer to. Those in
// the last chunk that stays are trimming's.
func (v *volume) beyond(rec *mapfmt.Record, size int64) (gone []mapfmt.ObjectID, err error) {
	own := mapfmt.Owner{UUID: v.uuid, Epoch: rec.Epoch}
	first := mapfmt.ChunkCount(size, rec.ObjectSize)
	err = v.e.eachChunk(rec, first, rec.ChunkCount(), func(no int64, owner mapfmt.Owner) (bool, error) {
		if owner != own {
			return true, nil
		}
		_, entries, err := v.e.readChunk(owner.At(no), v.objectSize)
		if err != nil {
			return false, err
		}
		entries.All(func(at int, e *mapfmt.Entry) bool {
			if e.IsOwn(own.UUID, own.Epoch) {
				gone = append(gone, mapfmt.ObjectOf(no*mapfmt.ChunkEntries+int64(at), e.Levels[0]))
			}
			return true
		})
		return len(gone) < beyondMost, nil
	})
	return gone, err
}

// eachChunk calls f for the chunks from first to end-1 that have an owner, reading pages of the
// table as it goes, until f says no or fails.
func (e *Engine) eachChunk(rec *mapfmt.Record, first, end int64, f func(no int64, owner mapfmt.Owner) (bool, error)) error {
	rows, base := rec.Table, int64(0)
	for no := first; no < end; no++ {
		if rec.IsPaged() && (no == first || no%mapfmt.PageChunks == 0) {
			at := no / mapfmt.PageChunks
			if rec.Table[at].IsNone() {
				no = (at+1)*mapfmt.PageChunks - 1
				continue
			}
			var err error
			if rows, err = e.readPage(rec, at); err != nil {
				return err
			}
			base = at * mapfmt.PageChunks
		}
		if rows[no-base].IsNone() {
			continue
		}
		if more, err := f(no, rows[no-base]); err != nil || !more {
			return err
		}
	}
	return nil
}

// hasRows says whether a page names a chunk from row on.
func hasRows(rows []mapfmt.Owner, from int64) bool {
	return slices.ContainsFunc(rows[from:], func(o mapfmt.Owner) bool { return !o.IsNone() })
}
