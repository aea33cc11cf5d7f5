package mapperd

import (
	"fmt"
	"slices"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// rollback gives a volume, whose I/O the caller has stopped, the content of a snapshot.
func (e *Engine) rollback(op *mapper.Op) error {
	for _, name := range []string{op.Name, op.Other} {
		if err := checkName(name); err != nil {
			return err
		}
	}
	defer e.names.lock(op.Name, op.Other)()
	v, err := e.openLocked(op.Name, op.Volume, lockTake)
	if err != nil {
		return err
	}
	defer v.giveBack()
	v.ctl.Lock()
	defer v.ctl.Unlock()
	if err := v.rollback(op); err != nil {
		return v.errorf("rollback to "+op.Other, err)
	}
	op.Info = v.info()
	return nil
}

// rollback: precondition: ctl is held.
func (v *volume) rollback(op *mapper.Op) error {
	if again, err := v.startChange(op); again || err != nil {
		return err
	}
	snap, err := v.e.rollbackSource(op.Other, v.objectSize)
	if err != nil {
		return err
	}
	v.freeze()
	defer v.thaw()
	// The log must not hold anything any more: a kill would replay it into the content of the
	// snapshot. What is flushed stays for the snapshots that were made of it, if any.
	if !v.e.cfg.faults.rollbackOverLog {
		if err := v.flush(); err != nil {
			return err
		}
	}
	rec := v.record().Clone()
	// Always a new epoch: translations from before must not write into what they named then.
	rec.Epoch++
	rec.Size, rec.Table = snap.Size, slices.Clone(snap.Table)
	rec.Origins = slices.Clone(snap.Origins)
	rec.ClearMark(mapfmt.FlagTrim)
	return v.change(rec, op.RequestID)
}

// rollbackSource reads the snapshot that a volume goes back to.
func (e *Engine) rollbackSource(name string, objectSize int64) (*mapfmt.Record, error) {
	snap, err := e.liveRecord(name)
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", name, err)
	}
	switch {
	case snap.Flags&mapfmt.FlagReadOnly == 0:
		return nil, fmt.Errorf("snapshot %s: %w: it is a volume", name, mapper.ErrNotRO)
	case snap.ObjectSize != objectSize:
		return nil, fmt.Errorf("snapshot %s: %w: its objects have %d bytes", name, mapper.ErrArgument, snap.ObjectSize)
	}
	return snap, e.checkOrigin(mapfmt.Mark{Name: name, ID: snap.UUID})
}

// startChange begins an operation that changes the record of the volume: it takes the lock. It says
// whether the same request has made its change before. Precondition: ctl is held.
func (v *volume) startChange(op *mapper.Op) (again bool, err error) {
	if v.isSnapshot() {
		return false, mapper.ErrReadOnly
	}
	if err := v.acquire(); err != nil {
		return false, err
	}
	return v.record().HasOp(op.RequestID), nil
}

// change stores a record with another size, epoch or table, and forgets what was known of the map.
// Precondition: ctl is held, the volume is frozen and flushed.
func (v *volume) change(rec *mapfmt.Record, id mapfmt.OpID) error {
	rec.NoteOp(id)
	rec.Modified = time.Now().Unix()
	v.storing.Lock()
	defer v.storing.Unlock()
	if err := v.e.writeRecord(v.name, rec); err != nil {
		return err
	}
	v.mu.Lock()
	sameEpoch := v.rec.Epoch == rec.Epoch
	v.chunks, v.dirty = map[int64]*chunk{}, map[int64]*chunk{}
	v.pages = map[int64]*page{}
	if sameEpoch {
		v.rec = rec
	}
	v.mu.Unlock()
	if !sameEpoch {
		v.setEpoch(rec)
	}
	return nil
}
