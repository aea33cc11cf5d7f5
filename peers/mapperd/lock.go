package mapperd

import (
	"errors"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
)

// lockState is the newest generation of a lock.
type lockState struct {
	generation uint64
	content    *mapfmt.LockContent // nil: generation 0, never locked
}

func (s lockState) isFree() bool {
	return s.content == nil || s.content.Mode == mapfmt.LockReleased
}

// isOurs says that this node holds the lock, in its present incarnation. The nonce is enough: it is
// found beside the pending logs alone, also after the node was given another name.
func (e *Engine) isOurs(s lockState) bool {
	return !s.isFree() && s.content.Incarnation == e.incarnation
}

// mayTake says whether the lock can be won without asking anybody: it is free, or was this node's
// in an earlier incarnation, which has ended with all its processes. A namesake on another machine
// is another node.
func (e *Engine) mayTake(s lockState) bool {
	return s.isFree() || e.isOurs(s) ||
		s.content.Node == e.cfg.Node && s.content.MachineID == e.cfg.MachineID
}

func (e *Engine) readLock(u mapfmt.UUID) (lockState, error) {
	name := mapfmt.LockName(u)
	op := blocker.Op{
		Kind: blocker.LockRead, Volume: u, Name: name, Data: make([]byte, blocker.MaxLock),
		Term: e.cfg.Term,
	}
	if err := blocker.Do(e.cfg.Maps, &op); err != nil {
		return lockState{}, objectError(name, err)
	}
	if op.Generation == 0 {
		return lockState{}, nil
	}
	content, err := mapfmt.DecodeLock(op.Data[:op.N])
	if err != nil {
		return lockState{}, objectError(name, err)
	}
	return lockState{op.Generation, content}, nil
}

// advance makes the next generation of a lock. A lost answer looks like a lost race: what the lock
// says now decides, so the caller reads it again after any error.
func (e *Engine) advance(u mapfmt.UUID, from uint64, mode mapfmt.LockMode) error {
	data, err := mapfmt.EncodeLock(&mapfmt.LockContent{
		Node: e.cfg.Node, MachineID: e.cfg.MachineID, Incarnation: e.incarnation, Mode: mode,
		Taken: time.Now().Unix(),
	})
	if err != nil {
		return err
	}
	name := mapfmt.LockName(u)
	op := blocker.Op{
		Kind: blocker.LockAdvance, Volume: u, Name: name, Generation: from, Data: data,
		Term: e.cfg.Term,
	}
	return objectError(name, blocker.Do(e.cfg.Maps, &op))
}

// acquireAttempts bounds how often a lost race is tried again; each loss means that somebody won.
const acquireAttempts = 4

// acquire makes this node the owner of the volume's lock. mapper.ErrBusy, naming the owner, if that
// is another node. Precondition: ctl is held.
func (v *volume) acquire() error {
	v.mu.Lock()
	owned, closed := v.owned, v.closed
	v.mu.Unlock()
	if owned || closed {
		return nil
	}
	for attempt := 1; ; attempt++ {
		s, err := v.e.readLock(v.uuid)
		if err != nil {
			return v.errorf("lock", err)
		}
		if v.e.isOurs(s) {
			v.setOwned(s.generation)
			return nil
		}
		if !v.e.mayTake(s) {
			return v.errorf("lock", v.e.busy(s))
		}
		err = v.take(s.generation, mapfmt.LockImplicit)
		if err != nil && (!errors.Is(err, blocker.ErrConflict) || attempt == acquireAttempts) {
			return v.errorf("lock", err)
		}
	}
}

// take wins generation from+1. The new pending log comes first: from the moment on that this node
// owns the lock, a missing log means that acknowledged writes are lost.
func (v *volume) take(from uint64, mode mapfmt.LockMode) error {
	if err := v.replaceLog(from + 1); err != nil {
		return err
	}
	return v.e.advance(v.uuid, from, mode)
}

func (v *volume) setOwned(generation uint64) {
	v.mu.Lock()
	v.owned, v.generation = true, generation
	v.mu.Unlock()
}

// replaceLog puts an empty log of the present epoch in place. Precondition: nothing that counts is
// in the old one, and ctl is held.
func (v *volume) replaceLog(generation uint64) error {
	l, err := v.e.newLog(v.name, mapfmt.PendingHeader{
		Volume: v.uuid, Generation: generation, Epoch: v.record().Epoch, ObjectSize: v.objectSize,
	})
	if err != nil {
		return err
	}
	v.mu.Lock()
	old := v.log
	v.log = l
	v.mu.Unlock()
	if old != nil {
		return old.close()
	}
	return nil
}

// renewLog makes the log of the present generation and epoch if there is none. Precondition: ctl is
// held.
func (v *volume) renewLog() error {
	v.mu.Lock()
	there, generation := v.log != nil || v.closed, v.generation
	v.mu.Unlock()
	if there {
		return nil
	}
	return v.errorf("commit", v.replaceLog(generation))
}

// release gives the lock back. Precondition: ctl is held, the volume is frozen and flushed.
func (v *volume) release() error {
	v.mu.Lock()
	owned, generation := v.owned, v.generation
	v.mu.Unlock()
	if !owned {
		return nil
	}
	err := v.e.advance(v.uuid, generation, mapfmt.LockReleased)
	// Lost means that the answer of an earlier try was lost, or that somebody took the lock over:
	// it isn't ours either way.
	if err != nil && !errors.Is(err, blocker.ErrConflict) {
		return v.errorf("unlock", err)
	}
	v.mu.Lock()
	v.owned = false
	v.mu.Unlock()
	return nil
}
