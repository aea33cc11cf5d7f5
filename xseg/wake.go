package xseg

import (
	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
	"archipelago/xseg/internal/step"
)

// wake wakes the consumer behind waiter no if it sleeps. Precondition: what it shall find was
// published by a sequentially consistent store. Any goroutine.
//
// The rule (checked by a model, see wait_model_test.go): if the word is odd and isn't the value
// that we woke last, add 2 and wake. A wake that we issued but that hasn't arrived yet is not
// issued again; one that a dead producer owed is, because its value is not ours.
func (s *Segment) wake(no uint32) bool {
	w, last := &s.waiters[no].Word, &s.wakers[no].last
	for {
		v := w.Load()
		if v&1 == 0 || v == last.Load() {
			return false
		}
		if w.CompareAndSwap(v, v+2) {
			last.Store(v + 2)
			step.At(step.WakeWord)
			if b := s.wakers[no].newest.Load(); b != nil {
				b.ring()
			} else {
				shm.Wake(w)
			}
			return true
		}
	}
}

// wakeList collects whom to wake at the end of a batch, each once.
type wakeList struct {
	due  []uint32
	mark []bool
}

func (l *wakeList) add(no uint32) {
	if !l.mark[no] {
		l.mark[no] = true
		l.due = append(l.due, no)
	}
}

func (l *wakeList) flush(s *Segment) {
	for _, no := range l.due {
		l.mark[no] = false
		s.wake(no)
	}
	l.due = l.due[:0]
}

// takeWaiter finds a free waiter, or one whose holder is dead. Under the control lock.
func (s *Segment) takeWaiter(kind uint32) (uint32, bool) {
	for no := range s.t.nrWaiters {
		if s.tryWaiter(no, kind) {
			return no, true
		}
	}
	return 0, false
}

func (s *Segment) tryWaiter(no, kind uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heldWaiters[no] {
		return false
	}
	if ok, err := s.file.TryLock(abi.LockWaiters + int64(no)); !ok || err != nil {
		return false
	}
	s.heldWaiters[no] = true
	w := &s.waiters[no]
	w.Word.Store((w.Word.Load() + 3) &^ 1) // awake, and a value that nobody has seen
	w.Pid.Store(uint32(s.self.PID))
	w.StartTime.Store(s.self.StartTime)
	w.Kind.Store(kind)
	return true
}

// giveWaiter is the opposite. Under the control lock.
func (s *Segment) giveWaiter(no uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiters[no].Kind.Store(abi.WaiterNone)
	delete(s.heldWaiters, no)
	_ = s.file.Unlock(abi.LockWaiters + int64(no)) // closing the file does it at the latest
}
