package mapperd

import (
	"errors"
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// acquireLock takes the lock of a volume and opens it.
func (e *Engine) acquireLock(op *mapper.Op) error {
	if err := checkName(op.Name); err != nil {
		return err
	}
	defer e.names.lock(op.Name, "")()
	v, err := e.openLocked(op.Name, op.Volume, lockTake)
	if err != nil {
		return err
	}
	v.borrowed = false // it stays until somebody closes it
	if !v.isSnapshot() {
		v.ctl.Lock()
		err = v.acquire()
		v.ctl.Unlock()
	}
	op.Info = v.info()
	return err
}

// releaseLock gives the lock of a volume back, or breaks that of another node.
func (e *Engine) releaseLock(op *mapper.Op) error {
	if err := checkName(op.Name); err != nil {
		return err
	}
	defer e.names.lock(op.Name, "")()
	return volumeError(op.Name, "unlock", e.releaseLocked(op))
}

func (e *Engine) releaseLocked(op *mapper.Op) error {
	// Neither the map nor a log is looked at before it is known whose they are, so that the lock of
	// a damaged volume can be broken.
	rec, err := e.readRecord(op.Name)
	if err != nil {
		return err
	}
	if op.Volume != (mapfmt.UUID{}) && rec.UUID != op.Volume {
		return fmt.Errorf("%w: is another volume now", mapper.ErrStale)
	}
	if rec.Flags&mapfmt.FlagReadOnly != 0 {
		return nil // nobody locks a snapshot
	}
	for attempt := 1; ; attempt++ {
		lock, err := e.readLock(rec.UUID)
		switch {
		case err != nil:
			return err
		case lock.isFree():
			return nil
		case e.mayTake(lock):
			v, err := e.openLocked(op.Name, op.Volume, lockTake)
			if err != nil {
				return err
			}
			return v.shutOwned()
		case !op.Force:
			return e.busy(lock)
		}
		err = e.advance(rec.UUID, lock.generation, mapfmt.LockReleased)
		if err == nil {
			e.cfg.Log.Warn("lock of another node broken", "volume", op.Name, "owner", lock.content.Node,
				"generation", lock.generation)
			return nil
		}
		if !errors.Is(err, blocker.ErrConflict) || attempt == acquireAttempts {
			return err
		}
	}
}

// shutOwned closes a volume whose lock is this node's, perhaps from before a reboot: then it is
// taken anew first, for only its owner may release it.
func (v *volume) shutOwned() error {
	v.ctl.Lock()
	err := v.acquire()
	v.ctl.Unlock()
	if err != nil {
		return err
	}
	return v.shut()
}
