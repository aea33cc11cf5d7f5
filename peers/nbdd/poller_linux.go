package nbdd

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// pollMax is how many sockets with news one look brings.
const pollMax = 128

// poller tells sockets when they can be read or written again. It is an xseg.Source: the thread that
// serves the backend's completions works it off, so that a request is read, and its answer sent, by
// one thread. Not the runtime's own poller, which hands every arrival over to another thread, and
// wakes up one whenever a client takes an answer.
type poller struct {
	fd     int
	events [pollMax]unix.EpollEvent
	n      int       // of events that are known and not worked off
	again  []*socket // have more to read, without an event that says so
	spare  []*socket // memory for the next again

	mu      sync.Mutex
	sockets map[int32]*socket // by the key that their events have
	lastKey int32
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &poller{fd: fd, sockets: map[int32]*socket{}}, nil
}

// close is for the end, when nobody works anything off any more.
func (p *poller) close() { _ = unix.Close(p.fd) }

// FD is part of xseg.Source.
func (p *poller) FD() int { return p.fd }

// Ready is part of xseg.Source.
func (p *poller) Ready() bool {
	if p.n > 0 || len(p.again) > 0 {
		return true
	}
	// An error there is EINTR: the next look will do.
	n, _ := epollNow(p.fd, p.events[:])
	p.n = max(n, 0)
	return p.n > 0
}

// Work is part of xseg.Source.
func (p *poller) Work() {
	again := p.again
	p.again, p.spare = p.spare[:0], nil
	for _, s := range again {
		s.arrived()
	}
	clear(again)
	p.spare = again[:0]
	for _, e := range p.events[:p.n] {
		p.mu.Lock()
		s := p.sockets[e.Fd]
		p.mu.Unlock()
		if s != nil { // else it was closed meanwhile
			s.event(e.Events)
		}
	}
	p.n = 0
}

// readOn makes s arrive again though there is no event: it has stopped in the middle. Loop.
func (p *poller) readOn(s *socket) { p.again = append(p.again, s) }

// Events are told once per arrival, not as long as there is something to read.
const (
	eventsRead = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET
	eventsBoth = eventsRead | unix.EPOLLOUT
)

// add begins to watch s; what is there already arrives, too.
func (p *poller) add(s *socket) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.lastKey++; p.sockets[p.lastKey] != nil; p.lastKey++ {
	}
	s.key = p.lastKey
	if err := p.control(unix.EPOLL_CTL_ADD, s, eventsRead); err != nil {
		return err
	}
	p.sockets[s.key] = s
	return nil
}

// change watches s for other events; those that are true already arrive, too.
func (p *poller) change(s *socket, events uint32) error {
	return p.control(unix.EPOLL_CTL_MOD, s, events)
}

// remove ends it. The descriptor is still open: a duplicate elsewhere would keep it in the kernel's
// list otherwise.
func (p *poller) remove(s *socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sockets, s.key)
	_ = p.control(unix.EPOLL_CTL_DEL, s, 0) // it is there
}

func (p *poller) control(op int, s *socket, events uint32) error {
	err := unix.EpollCtl(p.fd, op, s.fd, &unix.EpollEvent{Events: events, Fd: s.key})
	if err != nil {
		return fmt.Errorf("watch a client: %w", os.NewSyscallError("epoll_ctl", err))
	}
	return nil
}
