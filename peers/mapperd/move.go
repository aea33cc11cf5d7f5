package mapperd

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// movingError says that a rename was interrupted: it has to be finished, under both names, before
// anything else is done with one of them. Engine.run does that and then the operation again.
type movingError struct{ from, to string }

func (m *movingError) Error() string {
	return fmt.Sprintf("rename of %s to %s was interrupted", m.from, m.to)
}

// Unwrap says what is left to say if it can't be finished.
func (m *movingError) Unwrap() error { return mapper.ErrAgain }

// moving returns a movingError if the record under that name is part of a rename.
func moving(name string, rec *mapfmt.Record) error {
	if m, ok := rec.Mark(mapfmt.FlagMoving); ok {
		return &movingError{name, m.Name}
	}
	if m, ok := rec.Mark(mapfmt.FlagFrom); ok {
		return &movingError{m.Name, name}
	}
	return nil
}

// moveAttempts bounds how often an operation comes upon an interrupted rename: of each of its
// names, and once more because somebody may rename in between.
const moveAttempts = 4

// runMoved does an operation, and finishes renames that it comes upon.
func (e *Engine) runMoved(op *mapper.Op) error {
	for attempt := 1; ; attempt++ {
		err := e.run(op)
		m, ok := errors.AsType[*movingError](err)
		if ok && attempt < moveAttempts {
			if err = e.finishMoveOf(m); err == nil {
				continue
			}
		}
		return withoutAgain(op.Kind, err)
	}
}

// withoutAgain keeps the promise that only Open, MapRead and MapWrite are put off.
func withoutAgain(kind mapper.Kind, err error) error {
	if kind == mapper.Open || kind == mapper.MapRead || kind == mapper.MapWrite || !errors.Is(err, mapper.ErrAgain) {
		return err
	}
	return &busyError{err.Error()}
}

// busyError is what is put off where nothing may be.
type busyError struct{ text string }

func (b *busyError) Error() string        { return b.text }
func (b *busyError) Is(target error) bool { return target == mapper.ErrBusy }
func (b *busyError) Errno() syscall.Errno { return syscall.EBUSY }

func (e *Engine) finishMoveOf(m *movingError) error {
	defer e.names.lock(m.from, m.to)()
	_, err := e.finishMove(m.from, m.to)
	return volumeError(m.from, "finish the rename to "+m.to, err)
}

// rename gives a volume or snapshot another name.
func (e *Engine) rename(op *mapper.Op) error {
	for _, name := range []string{op.Name, op.Other} {
		if err := checkName(name); err != nil {
			return err
		}
	}
	defer e.names.lock(op.Name, op.Other)()
	rec, err := e.renameLocked(op)
	if err != nil {
		return volumeError(op.Name, "rename to "+op.Other, err)
	}
	op.Info = makeInfo(e, op.Other, rec, false, 0)
	return nil
}

func (e *Engine) renameLocked(op *mapper.Op) (*mapfmt.Record, error) {
	there, err := e.readRecord(op.Other)
	switch {
	case err == nil && (op.Volume == mapfmt.UUID{} || there.UUID == op.Volume) && there.HasOp(op.RequestID) && op.Name != op.Other:
		// This request moved it here before; whether it had ended is what finishMove looks at.
		return e.finishMove(op.Name, op.Other)
	case err == nil:
		if err := moving(op.Other, there); err != nil {
			return nil, err
		}
		return nil, mapper.ErrExists
	case !errors.Is(err, mapper.ErrNotFound):
		return nil, err
	}
	v, err := e.openLocked(op.Name, op.Volume, lockTake)
	if err != nil {
		return nil, err
	}
	defer e.releaseMoved(v)
	v.ctl.Lock()
	defer v.ctl.Unlock()
	if err := v.startMove(op); err != nil {
		return nil, err
	}
	return e.finishMove(op.Name, op.Other)
}

// releaseMoved is giveBack for a volume that has left the engine under its old name.
func (e *Engine) releaseMoved(v *volume) {
	if !v.borrowed {
		return
	}
	v.borrowed = false
	e.dropLog(v.uuid)
	if err := e.advance(v.uuid, v.generation, mapfmt.LockReleased); err != nil {
		e.cfg.Log.Warn("lock stays taken after a rename", "volume", v.name, "error", err)
	}
}

// startMove flushes the volume, takes it out of the engine (it comes back under its new name) and
// marks its record. Precondition: ctl is held.
func (v *volume) startMove(op *mapper.Op) error {
	if !v.isSnapshot() {
		if err := v.acquire(); err != nil {
			return err
		}
	}
	v.freeze()
	if err := v.flush(); err != nil {
		v.thaw()
		return err
	}
	v.retire()
	rec := v.record().Clone()
	rec.SetMark(mapfmt.Mark{Flag: mapfmt.FlagMoving, Name: op.Other, ID: op.RequestID})
	rec.NoteOp(op.RequestID)
	rec.Modified = time.Now().Unix()
	return v.e.writeRecord(v.name, rec)
}

// finishMove ends a rename from whatever step it was interrupted at, and returns the record under
// the new name. At each moment at least one of the names has the record, and both say that they
// belong together while both have it. The locks of both names are held.
func (e *Engine) finishMove(from, to string) (*mapfmt.Record, error) {
	source, err := e.readRecord(from)
	if err != nil && !errors.Is(err, mapper.ErrNotFound) {
		return nil, err
	}
	if source != nil {
		if m, ok := source.Mark(mapfmt.FlagMoving); ok && m.Name == to {
			if err := e.moveRecord(from, to, source, m); err != nil {
				return nil, err
			}
		}
	}
	target, err := e.readRecord(to)
	if err != nil {
		return nil, err
	}
	if m, ok := target.Mark(mapfmt.FlagFrom); !ok || m.Name != from {
		return target, nil
	}
	target = target.Clone()
	target.ClearMark(mapfmt.FlagFrom)
	return target, e.writeRecord(to, target)
}

// moveRecord makes the record under the new name and removes the old one. If the new name was taken
// meanwhile by something else, the rename is undone.
func (e *Engine) moveRecord(from, to string, source *mapfmt.Record, m mapfmt.Mark) error {
	if err := e.mayFinish(source); err != nil {
		return err
	}
	target := source.Clone()
	target.ClearMark(mapfmt.FlagMoving)
	target.SetMark(mapfmt.Mark{Flag: mapfmt.FlagFrom, Name: from, ID: m.ID})
	if e.cfg.faults.moveDeleteFirst {
		if err := e.remove(source.UUID, mapfmt.RecordName(from)); err != nil {
			return err
		}
	}
	err := e.createRecord(to, target)
	if errors.Is(err, blocker.ErrExists) {
		var there *mapfmt.Record
		if there, err = e.readRecord(to); err == nil && there.UUID != source.UUID {
			source = source.Clone()
			source.ClearMark(mapfmt.FlagMoving)
			return errors.Join(mapper.ErrExists, e.writeRecord(from, source))
		}
	}
	if err != nil {
		return err
	}
	// Before the old name goes, so that whoever has lost the memory of it finds the log again.
	if err := e.renameLog(source.UUID, to); err != nil {
		return err
	}
	err = e.remove(source.UUID, mapfmt.RecordName(from))
	if errors.Is(err, blocker.ErrNotFound) {
		return nil // an earlier try removed it, and its answer was lost
	}
	return err
}

// mayFinish says whether this node may end what another one may have begun: that needs the lock of
// a volume, or that nobody has it. A snapshot has no lock, and none of its steps does harm twice.
func (e *Engine) mayFinish(rec *mapfmt.Record) error {
	if rec.Flags&mapfmt.FlagReadOnly != 0 {
		return nil
	}
	s, err := e.readLock(rec.UUID)
	if err == nil && !e.mayTake(s) {
		err = e.busy(s)
	}
	return err
}
