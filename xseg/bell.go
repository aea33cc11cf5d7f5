package xseg

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
)

// A waiter of kind EVENTFD sleeps on an eventfd in place of the futex, as a kernel must: the rules
// of its wait word are the same, only the last step of a wake-up differs. Its eventfd comes along
// with the handshake of each channel, in both directions.

// bell is an eventfd that wakes somebody. Whoever holds it shuts it when they are done.
type bell struct {
	mu sync.Mutex // a descriptor that is closed meanwhile may be another file's
	fd int        // -1 once shut
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fd >= 0 {
		shm.SignalEventfd(b.fd)
	}
}

// shut closes the descriptor; a second call, or one of none, does nothing.
func (b *bell) shut() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fd >= 0 {
		shm.CloseFD(b.fd)
		b.fd = -1
	}
}

// newBell makes the eventfd of a loop.
func newBell() (*bell, error) {
	fd, err := shm.NewEventfd()
	if err != nil {
		return nil, err
	}
	return &bell{fd: fd}, nil
}

// bells are those known for one waiter, one per channel that leads to it: they ring the same
// eventfd. Changed under the Segment's mu; the newest is used.
type bells struct {
	all    []*bell
	newest atomic.Pointer[bell]
}

// hang makes b wake waiter no. nil: nothing.
func (s *Segment) hang(no uint32, b *bell) {
	if b == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.wakers[no].bells
	w.all = append(w.all, b)
	w.newest.Store(b)
}

// unhang undoes hang, and shuts b. nil: nothing.
func (s *Segment) unhang(no uint32, b *bell) {
	if b == nil {
		return
	}
	s.mu.Lock()
	w := &s.wakers[no].bells
	if i := slices.Index(w.all, b); i >= 0 {
		w.all = slices.Delete(w.all, i, i+1)
	}
	var newest *bell
	if n := len(w.all); n != 0 {
		newest = w.all[n-1]
	}
	w.newest.Store(newest)
	s.mu.Unlock()
	b.shut()
}

// errNoEventfd is lasting: the two ends don't go together.
var errNoEventfd = errors.New("peer sleeps on an eventfd, but has sent none")

// fits tells whether a peer whose waiter is no has sent what it takes to wake it. Under the control
// lock.
func (s *Segment) fits(no uint32, b *bell) error {
	if no >= s.t.nrWaiters {
		return fmt.Errorf("waiter %d: %w", no, ErrCorrupt)
	}
	if s.waiters[no].Kind.Load() == abi.WaiterEventfd && b == nil {
		return fmt.Errorf("waiter %d: %w", no, errNoEventfd)
	}
	return nil
}

// rights packs the descriptor of b for the other side; nothing if there is none.
func rights(b *bell) []byte {
	if b == nil {
		return nil
	}
	return syscall.UnixRights(b.fd)
}

// takeBell makes a bell of the descriptors that came with a message: one eventfd, or none.
func takeBell(oob []byte) (*bell, error) {
	var fds []int
	msgs, err := syscall.ParseSocketControlMessage(oob)
	for i := range msgs {
		more, e := syscall.ParseUnixRights(&msgs[i])
		if e != nil {
			err = e
		}
		fds = append(fds, more...)
	}
	if err == nil && len(fds) == 0 {
		return nil, nil
	}
	if err == nil && len(fds) > 1 {
		err = fmt.Errorf("%d descriptors where one belongs: %w", len(fds), errMessage)
	}
	if err == nil {
		err = shm.CheckEventfd(fds[0])
	}
	if err != nil {
		for _, fd := range fds {
			shm.CloseFD(fd)
		}
		return nil, err
	}
	return &bell{fd: fds[0]}, nil
}
