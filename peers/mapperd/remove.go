package mapperd

import (
	"errors"
	"fmt"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// delete removes a volume or a snapshot.
func (e *Engine) delete(op *mapper.Op) error {
	if err := checkName(op.Name); err != nil {
		return err
	}
	defer e.names.lock(op.Name, "")()
	return volumeError(op.Name, "remove", e.deleteLocked(op))
}

func (e *Engine) deleteLocked(op *mapper.Op) error {
	v, err := e.toDelete(op.Name)
	if errors.Is(err, mapper.ErrNotFound) || err == nil && op.Volume != (mapfmt.UUID{}) && v.uuid != op.Volume {
		return e.wasDeleted(op)
	}
	if err != nil {
		return err
	}
	v.ctl.Lock()
	defer v.ctl.Unlock()
	if !v.isSnapshot() {
		if err := v.acquire(); err != nil {
			return err
		}
		if err := v.reread(); err != nil {
			return err
		}
	}
	v.freeze()
	// From here on nothing writes the record: a flush that ran on would bring it back. If the
	// removal fails, the next operation opens the volume again, from the storage and its log.
	v.retire()
	if err := v.bury(op.RequestID); err != nil {
		return err
	}
	e.dropLog(v.uuid)
	if v.isUnshared() && e.begin() {
		go func() {
			defer e.work.Done()
			e.free(v)
		}()
	}
	return nil
}

// reread takes the record as it is since this node holds the lock: the tombstone has its chunk
// table. Precondition: ctl is held.
func (v *volume) reread() error {
	if !v.e.isShared() {
		return nil
	}
	rec, err := v.e.readRecord(v.name)
	if err == nil && rec.UUID != v.uuid {
		err = fmt.Errorf("%w: is another volume now", mapper.ErrStale)
	}
	if err == nil {
		err = moving(v.name, rec)
	}
	if err != nil {
		return err
	}
	v.mu.Lock()
	v.rec = rec
	v.mu.Unlock()
	return nil
}

// toDelete returns the open volume, or one that is good for nothing but removal: neither its map
// nor its log is looked at, so that a damaged volume can be removed.
func (e *Engine) toDelete(name string) (*volume, error) {
	if v := e.lookupName(name); v != nil {
		return v, nil
	}
	rec, err := e.readRecord(name)
	if err != nil {
		return nil, err
	}
	if err := moving(name, rec); err != nil {
		return nil, err
	}
	// A PENDING clone may go at any time; a member of a group that becomes real must not be missing.
	if m, pending := rec.Mark(mapfmt.FlagPending); pending && isMember(m) {
		if rec, err = e.finishPending(name, rec); err != nil {
			return nil, err
		}
	}
	return newVolume(e, name, rec), nil
}

func (v *volume) isSnapshot() bool { return v.record().Flags&mapfmt.FlagReadOnly != 0 }

// isUnshared says that no other volume can refer to anything of this one: no snapshot was ever made
// of it, and it isn't one itself.
func (v *volume) isUnshared() bool {
	r := v.record()
	const shared = mapfmt.FlagReadOnly | mapfmt.FlagMoving | mapfmt.FlagPending | mapfmt.FlagHashed
	return r.Epoch == 1 && len(r.Origins) == 0 && r.Flags&shared == 0
}

// wasDeleted is what the removal of a volume that isn't there ends with: success, if the same
// request removed it before.
func (e *Engine) wasDeleted(op *mapper.Op) error {
	gone := mapper.ErrNotFound
	if op.Volume == (mapfmt.UUID{}) || op.RequestID == (mapfmt.OpID{}) {
		return gone
	}
	var err error = gone
	listed := e.list(e.cfg.Maps, mapfmt.TombstoneVolumePrefix(op.Volume), func(name string) error {
		t, readErr := readObject(e, name, mapfmt.DecodeTombstone)
		if readErr != nil {
			return readErr
		}
		if t.HasOp(op.RequestID) {
			err = nil
		}
		return nil
	})
	if listed != nil {
		return listed
	}
	return err
}

// bury writes the tombstone and then removes the record, both durably: in the other order a crash
// would leave objects that nobody knows to be garbage. An earlier tombstone of a removal that
// didn't end is replaced.
func (v *volume) bury(id mapfmt.OpID) error {
	rec := v.record()
	if v.e.cfg.faults.deleteFirst {
		if err := v.e.remove(v.uuid, mapfmt.RecordName(v.name)); err != nil {
			return err
		}
	}
	data, err := mapfmt.EncodeTombstone(&mapfmt.Tombstone{
		Name: v.name, Removed: time.Now().Unix(), Op: id, Record: rec,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", mapper.ErrArgument, err)
	}
	// It makes room: it must find some on a disk that is full.
	err = v.e.replaceAs(blocker.FlagReserve, v.uuid, mapfmt.TombstoneName(v.uuid, rec.Epoch), data)
	if err != nil {
		return err
	}
	// Missing: an earlier try removed it, and its answer was lost.
	err = v.e.remove(v.uuid, mapfmt.RecordName(v.name))
	if errors.Is(err, blocker.ErrNotFound) {
		return nil
	}
	return err
}

// free deletes everything of a removed volume that nobody shares. What it can't delete, or what is
// left when the engine is closed, is garbage that the tombstone names.
func (e *Engine) free(v *volume) {
	err := e.freeAll(v.uuid, e.cfg.Blocks, mapfmt.ObjectVolumePrefix(v.uuid))
	err = errors.Join(err, e.freeAll(v.uuid, e.cfg.Maps, mapfmt.ChunkVolumePrefix(v.uuid)))
	if err != nil && e.ctx.Err() == nil {
		e.cfg.Log.Warn("objects of a removed volume are left", "volume", v.name, "error", err)
	}
}

func (e *Engine) freeAll(u mapfmt.UUID, s blocker.Store, prefix string) error {
	return e.list(s, prefix, func(name string) error {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		op := blocker.Op{Kind: blocker.Delete, Volume: u, Name: name, Term: e.cfg.Term}
		if err := blocker.Do(s, &op); err != nil && !errors.Is(err, blocker.ErrNotFound) {
			return err
		}
		return nil
	})
}
