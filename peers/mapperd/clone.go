package mapperd

import (
	"errors"
	"fmt"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// clone makes a volume from a snapshot, or a blank one.
func (e *Engine) clone(op *mapper.Op) error {
	if err := checkName(op.Name); err != nil {
		return err
	}
	defer e.names.lock(op.Name, "")()
	rec, err := e.newRecord(op)
	if err == nil {
		rec, err = e.createOnce(op.Name, rec)
	}
	if err == nil {
		rec, err = e.finishPending(op.Name, rec)
	}
	if err != nil {
		return volumeError(op.Name, "create", err)
	}
	op.Info = makeInfo(e, op.Name, rec, false, 0)
	return nil
}

// newRecord is the record of a new volume. If it has an origin, it is PENDING: it isn't real until
// the origin was seen alive after the record was there, so that a removal of the origin that runs
// at the same time either sees the clone or is seen by it.
func (e *Engine) newRecord(op *mapper.Op) (*mapfmt.Record, error) {
	now := time.Now().Unix()
	rec := &mapfmt.Record{
		UUID: mapfmt.NewUUID(), ObjectSize: op.ObjectSize, Epoch: 1,
		Created: now, Modified: now, Creator: op.RequestID,
	}
	size := op.Size
	if op.Other != "" {
		if err := e.inherit(rec, op); err != nil {
			return nil, fmt.Errorf("origin %s: %w", op.Other, err)
		}
		if size == 0 {
			size = rec.Size
		}
	} else if rec.ObjectSize == 0 {
		rec.ObjectSize = mapfmt.DefaultObjectSize
	}
	if err := checkSize(size, rec.ObjectSize); err != nil {
		return nil, err
	}
	return rec, e.resizeTable(rec, size)
}

// inherit takes from the origin what a clone has from it.
func (e *Engine) inherit(rec *mapfmt.Record, op *mapper.Op) error {
	if err := checkName(op.Other); err != nil {
		return err
	}
	origin, err := e.readRecord(op.Other)
	if err != nil {
		return err
	}
	switch {
	case origin.Flags&mapfmt.FlagPending != 0:
		return fmt.Errorf("%w: it isn't complete", mapper.ErrAgain)
	case origin.Flags&mapfmt.FlagReadOnly == 0:
		return fmt.Errorf("%w: it is a volume; make a snapshot of it first", mapper.ErrNotRO)
	case rec.ObjectSize != 0 && rec.ObjectSize != origin.ObjectSize:
		return fmt.Errorf("%w: its objects have %d bytes", mapper.ErrArgument, origin.ObjectSize)
	case op.Size != 0 && op.Size < origin.Size:
		return fmt.Errorf("%w: it has %d bytes, the clone would have %d",
			mapper.ErrTooSmall, origin.Size, op.Size)
	}
	rec.Size, rec.ObjectSize = origin.Size, origin.ObjectSize
	rec.Origins = append(rec.Origins, origin.Origins...)
	rec.Table = append(rec.Table, origin.Table...)
	rec.AddOrigin(mapfmt.Origin{
		UUID: origin.UUID, Epoch: origin.Epoch, Flags: mapfmt.OriginSnapshot, Name: op.Other,
	})
	rec.SetMark(mapfmt.Mark{Flag: mapfmt.FlagPending, Name: op.Other, ID: origin.UUID})
	return nil
}

func checkSize(size, objectSize int64) error {
	err := mapfmt.CheckObjectSize(objectSize)
	if err == nil {
		err = mapfmt.CheckVolumeSize(size)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", mapper.ErrArgument, err)
	}
	return nil
}

// createOnce makes a record. If the name is taken by what the same request made before, or by this
// very record (the answer was lost), that is success; it returns the record that is there.
func (e *Engine) createOnce(name string, rec *mapfmt.Record) (*mapfmt.Record, error) {
	err := e.createRecord(name, rec)
	if !errors.Is(err, blocker.ErrExists) {
		return rec, err
	}
	there, err := e.readRecord(name)
	if err != nil {
		return nil, err
	}
	if there.UUID == rec.UUID || rec.Creator != (mapfmt.OpID{}) && there.Creator == rec.Creator {
		return there, nil
	}
	return nil, mapper.ErrExists
}

// liveRecord reads the record of a volume, and finishes a clone or a group of snapshots that was
// interrupted; a rename is the caller's to finish (movingError). The lock of the name is held.
func (e *Engine) liveRecord(name string) (*mapfmt.Record, error) {
	rec, err := e.readRecord(name)
	if err == nil {
		err = moving(name, rec)
	}
	if err != nil {
		return nil, err
	}
	return e.finishPending(name, rec)
}

// finishPending brings what is PENDING to its end: a member of a group of snapshots, or a clone, of
// which it looks at the origin again. Is it still there: the clone becomes
// real. Is it not: the clone goes. The lock of the name is held.
func (e *Engine) finishPending(name string, rec *mapfmt.Record) (*mapfmt.Record, error) {
	mark, pending := rec.Mark(mapfmt.FlagPending)
	if !pending {
		return rec, nil
	}
	if isMember(mark) {
		return e.finishMember(name, rec, mark.ID)
	}
	if err := e.checkOrigin(mark); errors.Is(err, mapper.ErrNotFound) {
		gone := e.remove(rec.UUID, mapfmt.RecordName(name))
		if gone != nil && !errors.Is(gone, blocker.ErrNotFound) {
			err = gone
		}
		return nil, fmt.Errorf("origin %s: %w", mark.Name, err)
	} else if err != nil {
		return nil, fmt.Errorf("origin %s: %w", mark.Name, err)
	}
	rec = rec.Clone()
	rec.ClearMark(mapfmt.FlagPending)
	return rec, e.writeRecord(name, rec)
}

// checkOrigin returns mapper.ErrNotFound if the snapshot that a clone was made from is gone or on
// its way: its tombstone comes before its record goes, and a collector of garbage that has seen the
// tombstone may not have seen the clone.
func (e *Engine) checkOrigin(mark mapfmt.Mark) error {
	if e.cfg.faults.skipOriginCheck {
		return nil
	}
	origin, err := e.readRecord(mark.Name)
	if err != nil {
		return err
	}
	if origin.UUID != mark.ID {
		return fmt.Errorf("is another one now: %w", mapper.ErrNotFound)
	}
	name := mapfmt.TombstoneName(origin.UUID, origin.Epoch)
	err = blocker.Do(e.cfg.Maps, &blocker.Op{Kind: blocker.Stat, Name: name, Term: e.cfg.Term})
	switch {
	case errors.Is(err, blocker.ErrNotFound):
		return nil
	case err == nil:
		return fmt.Errorf("its removal has begun: %w", mapper.ErrNotFound)
	}
	return objectError(name, err)
}

// checkName applies the rules of volume names.
func checkName(name string) error {
	if err := mapfmt.CheckVolumeName(name); err != nil {
		return fmt.Errorf("%w: %w", mapper.ErrName, err)
	}
	return nil
}
