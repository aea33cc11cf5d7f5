package mapperd

import (
	"errors"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// snapshot makes a snapshot of a volume whose I/O the caller has stopped.
func (e *Engine) snapshot(op *mapper.Op) error {
	for _, name := range []string{op.Name, op.Other} {
		if err := checkName(name); err != nil {
			return err
		}
	}
	defer e.names.lock(op.Name, op.Other)()
	if err := e.snapshotLocked(op); err != nil {
		return volumeError(op.Name, "snapshot "+op.Other, err)
	}
	return nil
}

func (e *Engine) snapshotLocked(op *mapper.Op) error {
	there, err := e.readRecord(op.Other)
	if err == nil && there.Creator != op.RequestID {
		err = moving(op.Other, there)
	}
	switch {
	case err == nil && op.RequestID != (mapfmt.OpID{}) && there.Creator == op.RequestID:
		op.Info = makeInfo(e, op.Other, there, false, 0)
		return nil
	case err == nil:
		return mapper.ErrExists
	case !errors.Is(err, mapper.ErrNotFound):
		return err
	}
	v, err := e.openLocked(op.Name, op.Volume, lockTake)
	if err != nil {
		return err
	}
	defer v.giveBack()
	v.ctl.Lock()
	defer v.ctl.Unlock()
	rec, err := v.snapshot(op)
	if err != nil {
		return err
	}
	op.Info = makeInfo(e, op.Other, rec, false, 0)
	return nil
}

// snapshot makes the record of the snapshot and returns it. Precondition: ctl is held.
func (v *volume) snapshot(op *mapper.Op) (*mapfmt.Record, error) {
	if v.record().Flags&mapfmt.FlagReadOnly != 0 {
		return nil, mapper.ErrReadOnly
	}
	if err := v.acquire(); err != nil {
		return nil, err
	}
	v.freeze()
	defer v.thaw()
	// Whatever is in the pending log belongs to the snapshot: after this the log is empty.
	if err := v.flush(); err != nil {
		return nil, err
	}
	// What a shrink left beyond the end would be there for a larger clone.
	if err := v.finishTrim(); err != nil {
		return nil, err
	}
	snap := snapshotRecord(v.record(), op.RequestID)
	if op.Group != [16]byte{} {
		snap.SetMark(memberMark(op.Group))
		v.e.beginMember(op.Group)
	}
	if v.e.cfg.faults.snapshotFirst {
		if _, err := v.e.createOnce(op.Other, snap); err != nil {
			return nil, err
		}
	}
	// The epoch first, durably: once the snapshot is there, nothing that it names may be written in
	// place any more. A crash in between leaves a higher epoch and nothing else.
	if err := v.raiseEpoch(op.RequestID); err != nil {
		return nil, err
	}
	return v.e.createOnce(op.Other, snap)
}

func snapshotRecord(of *mapfmt.Record, id mapfmt.OpID) *mapfmt.Record {
	snap := of.Clone()
	snap.UUID = mapfmt.NewUUID()
	snap.Flags = mapfmt.FlagReadOnly
	snap.Marks, snap.Ops = nil, nil
	snap.Epoch = 1
	snap.Creator = id
	snap.Created = time.Now().Unix()
	snap.Modified = snap.Created
	return snap
}

// raiseEpoch makes everything of the volume immutable. Precondition: ctl is held, the volume is
// frozen and flushed.
func (v *volume) raiseEpoch(id mapfmt.OpID) error {
	rec := v.record().Clone()
	rec.Epoch++
	rec.NoteOp(id)
	rec.Modified = time.Now().Unix()
	v.storing.Lock()
	defer v.storing.Unlock()
	if err := v.e.writeRecord(v.name, rec); err != nil {
		return err
	}
	v.setEpoch(rec)
	return nil
}

// setEpoch takes the new epoch into use: no chunk can be appended to, and the next commit makes a
// pending log of the new epoch.
func (v *volume) setEpoch(rec *mapfmt.Record) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.e.cfg.faults.keepEpoch {
		v.rec = rec
	}
	for _, c := range v.chunks {
		c.file, c.settled = nil, false
	}
	if v.log == nil {
		return
	}
	if err := v.log.close(); err != nil {
		v.e.cfg.Log.Warn("pending log not unmapped", "volume", v.name, "error", err)
	}
	v.log = nil
}
