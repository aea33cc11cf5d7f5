package xseg

import (
	"net"
	"sync/atomic"
	"syscall"

	"archipelago/xseg/internal/abi"
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
	bell   *bell  // of the submitter; nil: futex
	view   channel.View
	conn   *net.UnixConn

	// The loop's own.
	head     uint32     // next ring entry to read
	reqs     []*Request // one per slot, made at its first use
	backed   uint32     // slots known to have memory
	received int64      // requests taken from the ring
	answered int64      // of those, on the loop or dropped
	done     [abi.MaxSlots / 64]uint64
	staged   int    // bits in done
	fresh    uint64 // answers staged to requests that came with this batch
	ended    bool   // nothing more comes from here

	elsewhere atomic.Int64 // answered, on other goroutines
	dead      atomic.Bool  // the submitter is gone, or broke its channel
}

// stageMax is how many answers, or submissions, are gathered at most before they are published. Few
// would let the other side begin sooner, but break its batches up, and each batch of its may cost a
// wake-up: with more peers than processors that is the dearer one.
const stageMax = 32

// inFlight returns how many requests were received and not answered. Loop.
func (s *served) inFlight() int64 { return s.received - s.answered - s.elsewhere.Load() }

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
			return true // the extent may belong to somebody else by now: its head is not ours
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
	if slot >= s.backed && !s.hasMemory(slot) {
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
	if atomic.LoadUint32(&r.state) != requestFree {
		return false // the slot is still being served: the submitter forged its state
	}
	r.state = requestBusy // nobody else has it: see left
	s.received++
	s.port.loop.handled++
	s.port.tally.inFlight++
	if !r.read(s, slot, word) {
		r.RespondOnLoop(syscall.EINVAL, 0)
		return true
	}
	s.port.dispatch(r)
	return true
}

// hasMemory looks again how many slots have memory behind them: to touch others could be a fault
// where there is none left.
func (s *served) hasMemory(slot uint32) bool {
	s.backed = min(s.port.loop.seg.channels[s.id].SlotsBacked.Load(), s.view.Len())
	return slot < s.backed
}

// leave accounts for a request that was answered off the loop. The last one may be what the end
// of the channel, or of the loop, waits for.
func (s *served) leave() {
	l := s.port.loop
	s.elsewhere.Add(1)
	if s.dead.Load() {
		l.Post(s.end)
	} else if l.stopping.Load() {
		l.seg.wake(l.waiterNo)
	}
}

// left accounts for a request that was answered, or dropped, on the loop.
func (s *served) left() {
	s.answered++
	if s.dead.Load() {
		s.end()
	}
}

// stage gathers an answer for publication.
func (s *served) stage(slot uint32) {
	if s.staged == 0 {
		s.port.loop.unpublished = append(s.port.loop.unpublished, s)
	}
	s.done[slot/64] |= 1 << (slot % 64)
	if s.staged++; s.staged%stageMax == 0 {
		s.announce()
	}
}

// announce publishes the answers gathered so far.
func (s *served) announce() {
	for w := range s.done[:(s.view.Len()+63)/64] {
		if s.done[w] != 0 {
			s.view.Announce(w, s.done[w])
			s.done[w] = 0
		}
	}
}

// flush ends a batch: everything is published, and the submitter is to be woken.
func (s *served) flush(now int64) {
	s.announce()
	s.port.loop.wakes.add(s.waiter)
	if s.fresh != 0 {
		s.port.tally.took(now-s.port.loop.now, s.fresh)
	}
	s.staged, s.fresh = 0, 0
}

// die stops serving the channel: what it has submitted is dropped, what runs goes on and counts
// as a ghost. Loop.
func (s *served) die() {
	if s.dead.Swap(true) {
		return
	}
	for _, r := range s.reqs {
		switch {
		case r == nil || atomic.LoadUint32(&r.state) != requestBusy:
		case r.parked: // nobody works on it: dropped, like what lies in the ring
			r.state = requestFree
			s.port.tally.inFlight--
			s.answered++
		case r.volume != (UUID{}) && atomic.CompareAndSwapUint32(&r.state, requestBusy, requestGhost):
			s.port.ghosts[r.volume]++
		}
	}
	s.end()
}

// end gives the channel back once nothing of it runs any more. Loop; at most once has an effect.
func (s *served) end() {
	if s.ended || s.inFlight() != 0 {
		return
	}
	s.ended = true
	l := s.port.loop
	s.announce() // nothing is written to the extent once it is released
	for i, x := range l.served {
		if x == s {
			l.served = append(l.served[:i:i], l.served[i+1:]...)
			break
		}
	}
	l.wg.Go(func() { s.port.release(s) })
}
