package mapperd

import (
	"errors"
	"fmt"
	"syscall"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// lockWish is what an operation wants of the lock of the volume that it opens.
type lockWish int

const (
	// lockNone leaves the lock as it is.
	lockNone lockWish = iota
	// lockTry takes a free lock where several nodes share the store, and goes on without it if
	// another node has it. Where this node is alone its first write takes the lock.
	lockTry
	// lockTake is lockTry that fails with mapper.ErrBusy instead of going on without.
	lockTake
)

// isShared says that other nodes may use the store at the same time.
func (e *Engine) isShared() bool { return e.cfg.Nodes == mapfmt.NodesShared }

// lockedError says which node holds a lock that this one wants.
type lockedError struct{ owner string }

func (l *lockedError) Error() string        { return "busy: locked by " + l.owner }
func (l *lockedError) Is(target error) bool { return target == mapper.ErrBusy }
func (l *lockedError) Errno() syscall.Errno { return syscall.EBUSY }

// busy is the error of a lock that this node may not take. It says so if the owner is this machine,
// as after a change of node_name, or a namesake on another one: both look like a mistake otherwise.
func (e *Engine) busy(s lockState) error {
	c := s.content
	owner := "node " + c.Node
	known := c.MachineID != [16]byte{} && e.cfg.MachineID != [16]byte{}
	switch {
	case c.Node == e.cfg.Node:
		owner += ", of another machine"
	case known && c.MachineID == e.cfg.MachineID:
		owner += ", of this machine"
	}
	return &lockedError{owner}
}

// openFor opens a volume that is stored: takes note of its lock, or takes it, and replays the
// pending log. A volume that another node may change isn't published: it is a guest, good for one
// operation. The lock of the name is held.
func (e *Engine) openFor(name string, wish lockWish) (*volume, error) {
	var won uint64 // generation of the lock that was taken here
	var of mapfmt.UUID
	for attempt := 1; ; attempt++ {
		v, lock, err := e.readStored(name)
		if err != nil {
			return nil, errors.Join(err, e.forgo(of, won))
		}
		if v.isReadOnly() || e.isOurs(lock) || !e.isShared() && e.mayTake(lock) {
			v.borrowed = won > 0 && wish == lockTake
			return v, v.makeReady()
		}
		if !e.mayTake(lock) || wish == lockNone {
			return v, v.beGuest(wish, lock)
		}
		err = v.take(lock.generation, mapfmt.LockImplicit)
		v.abandon()
		if err != nil && (!errors.Is(err, blocker.ErrConflict) || attempt == acquireAttempts) {
			return nil, fmt.Errorf("lock: %w", err)
		}
		if err == nil {
			// Again from the record on: another node may have changed it before it gave the lock up.
			won, of = lock.generation+1, v.uuid
		}
	}
}

// readStored reads the record and the lock of a volume.
func (e *Engine) readStored(name string) (*volume, lockState, error) {
	rec, err := e.liveRecord(name)
	if err != nil {
		return nil, lockState{}, err
	}
	v := newVolume(e, name, rec)
	if v.isReadOnly() {
		return v, lockState{}, nil
	}
	lock, err := e.readLock(rec.UUID)
	return v, lock, err
}

// makeReady takes the volume into the engine.
func (v *volume) makeReady() error {
	if !v.isReadOnly() {
		if err := v.resume(); err != nil {
			v.abandon()
			return err
		}
	}
	v.e.publish(v)
	v.logOpened()
	return nil
}

// beGuest makes the volume one whose lock this node doesn't hold, or fails if it is wanted.
func (v *volume) beGuest(wish lockWish, lock lockState) error {
	if wish == lockTake {
		return v.e.busy(lock)
	}
	v.guest = true
	if !lock.isFree() {
		v.holder = lock.content.Node
	}
	// A pending log of this node, from before the lock went to another one, is reported.
	if err := v.resume(); err != nil {
		v.abandon()
		return err
	}
	return nil
}

// forgo gives back a lock that was won for a volume which has gone meanwhile.
func (e *Engine) forgo(u mapfmt.UUID, generation uint64) error {
	if generation == 0 {
		return nil
	}
	e.dropLog(u)
	return e.advance(u, generation, mapfmt.LockReleased)
}

// giveBack ends the use of a volume that was only opened for one change: where several nodes share
// the store, the next one that wants it must not wait for this one. The lock of the name is held.
func (v *volume) giveBack() {
	if v == nil || !v.borrowed {
		return
	}
	v.borrowed = false
	if err := v.shut(); err != nil {
		v.e.cfg.Log.Warn("lock stays taken after a change", "volume", v.name, "error", err)
	}
}
