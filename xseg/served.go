package xseg

import (
	"net"
	"sync/atomic"
	"syscall"

	"archipelago/xseg/internal/channel"
)

// served is the server's side of one channel, from the handshake until all requests received
// over it have ended.
type served struct {
	port   *Port
	id     int
	src    PortNo
	srcInc uint64
	serial uint64
	waiter uint32 // of the submitter
	view   channel.View
	conn   *net.UnixConn

	head uint32     // loop: next ring entry to read
	reqs []*Request // loop: one per slot, made at its first use

	inFlight atomic.Int32 // received, not answered
	dead     atomic.Bool  // the submitter is gone, or broke its channel
	ended    bool         // loop: nothing more comes from here
}

// waiting tells whether the ring holds something. Loop.
func (s *served) waiting() bool { return !s.dead.Load() && s.view.Tail() != s.head }

// drain serves what the ring holds, at most once around. Loop.
func (s *served) drain() bool {
	if !s.waiting() {
		return false
	}
	n := s.view.Tail() - s.head
	if n > s.view.Len() {
		s.kick()
		return true
	}
	first := s.head
	s.head += n
	for i := range n {
		if !s.take(s.view.Entry(first + i)) {
			s.kick()
			break
		}
	}
	s.view.SetHead(s.head)
	return true
}

// kick ends a channel whose submitter broke it. An honest one connects anew, with clean rings.
func (s *served) kick() {
	s.port.entry.Counters.Errors.Add(1)
	_ = s.conn.Close() // the watcher sees it and does the rest
	s.die()
}

// take serves one ring entry; false if it can't have come from a working submitter.
func (s *served) take(slot, generation uint32) bool {
	if slot >= s.view.Len() {
		return false
	}
	word, ok := s.view.Begin(slot, generation)
	if !ok {
		// Cancelled meanwhile. Its slot is free again once the head has passed it, which the
		// submitter may be waiting for.
		s.port.loop.wakes.add(s.waiter)
		return true
	}
	r := s.reqs[slot]
	if r == nil {
		r = &Request{from: s, slot: slot}
		s.reqs[slot] = r
	}
	if !r.state.CompareAndSwap(requestFree, requestBusy) {
		return false // the slot is still being served: the submitter forged its state
	}
	s.inFlight.Add(1)
	s.port.entry.Counters.InFlight.Add(1)
	if !r.read(s, slot, word) {
		r.RespondOnLoop(syscall.EINVAL, 0)
		return true
	}
	s.port.dispatch(r)
	return true
}

// leave accounts for an answered request; the last one of a dead channel ends the channel.
func (s *served) leave() {
	l := s.port.loop
	if s.inFlight.Add(-1) != 0 {
		return
	}
	if s.dead.Load() {
		l.Post(s.end)
	} else if l.stopping.Load() {
		l.seg.wake(l.waiterNo)
	}
}

// die stops serving the channel: what it has submitted is dropped, what runs goes on and counts
// as a ghost. Loop.
func (s *served) die() {
	if s.dead.Swap(true) {
		return
	}
	for _, r := range s.reqs {
		switch {
		case r == nil || r.state.Load() != requestBusy:
		case r.parked: // nobody works on it: dropped, like what lies in the ring
			r.state.Store(requestFree)
			s.port.entry.Counters.InFlight.Add(^uint64(0))
			s.inFlight.Add(-1)
		case r.volume != (UUID{}) && r.state.CompareAndSwap(requestBusy, requestGhost):
			s.port.ghosts[r.volume]++
		}
	}
	if s.inFlight.Load() == 0 {
		s.end()
	}
}

// end gives the channel back once nothing of it runs any more. Loop; at most once has an effect.
func (s *served) end() {
	if s.ended || s.inFlight.Load() != 0 {
		return
	}
	s.ended = true
	l := s.port.loop
	for i, x := range l.served {
		if x == s {
			l.served = append(l.served[:i:i], l.served[i+1:]...)
			break
		}
	}
	l.wg.Go(func() { s.port.release(s) })
}
