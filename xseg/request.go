package xseg

import (
	"sync/atomic"
	"syscall"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
)

// Handler serves one received request. It runs on the loop, must not block, and sees to it that
// Respond is called exactly once, now or later.
type Handler func(*Request)

// States of a Request.
const (
	requestFree  = iota // the object waits for the next use of its slot
	requestBusy         // received, not answered
	requestGhost        // the same, and its submitter is gone
)

// Request is the server's side of one request, valid until it was answered. All fields were read
// once from the segment, and checked, when it was received.
type Request struct {
	// User belongs to the server.
	User any

	from     *served
	slot     uint32
	state    uint32 // plain on the loop where nobody else can have the request, else atomic
	word     uint64 // of the slot, as Begin left it
	received int64  // monotonic

	op, flags          uint32
	term, offset, size uint64
	volume             UUID
	id                 RequestID
	data               []byte
	payloadLen         uint32
	inLen, targetLen   uint32
	in                 [InlineMax]byte
	target             [TargetMax]byte

	parked bool     // loop: behind a ghost, not given to the handler yet
	next   *Request // in a list of parked requests
}

// Op returns the operation.
func (r *Request) Op() uint32 { return r.op }

// Flags returns the request's flags.
func (r *Request) Flags() uint32 { return r.flags }

// Volume returns the UUID of the volume that the request is about; zero if it named none.
func (r *Request) Volume() UUID { return r.volume }

// Term returns the term of the translation that the request rests on.
func (r *Request) Term() uint64 { return r.term }

// Offset returns the offset in bytes, or what the operation defines.
func (r *Request) Offset() uint64 { return r.offset }

// Size returns the size in bytes, or what the operation defines. It may differ from len(Data()).
func (r *Request) Size() uint64 { return r.size }

// RequestID returns the id that the first submitter gave a control request.
func (r *Request) RequestID() RequestID { return r.id }

// Received returns when the request was received, for VolumeRow.End.
func (r *Request) Received() int64 { return r.received }

// Source returns the submitter's port.
func (r *Request) Source() PortNo { return r.from.src }

// Serial tells channels apart, also one that was made anew between the same ports.
func (r *Request) Serial() uint64 { return r.from.serial }

// Target returns the name, copied out of the segment into the request: stable until Respond.
func (r *Request) Target() []byte { return r.target[:r.targetLen] }

// Data returns the buffer in the segment. The submitter may scribble on it: read each byte once.
func (r *Request) Data() []byte { return r.data }

// Payload returns the inline area (208 bytes) for the reply.
func (r *Request) Payload() []byte { return r.from.view.Slot(r.slot).Payload[:] }

// PayloadIn returns the inline payload that came with the request, copied out of the segment:
// stable until Respond.
func (r *Request) PayloadIn() []byte { return r.in[:r.inLen] }

// SetPayloadLen says how much of Payload the reply means.
func (r *Request) SetPayloadLen(n int) {
	if n < 0 || n > InlineMax {
		panic("xseg: payload of a reply is out of range")
	}
	r.payloadLen = uint32(n)
}

// Respond answers. Exactly once, any goroutine; r must not be touched afterwards.
func (r *Request) Respond(errno syscall.Errno, serviced uint64) {
	s, slot, word, volume := r.from, r.slot, r.word, r.volume
	countEnd(&s.port.entry.Counters, r.op, errno != 0, serviced, shm.Monotonic()-r.received)
	r.write(errno, serviced)
	ghost := r.left(atomic.SwapUint32(&r.state, requestFree))
	if s.view.End(slot, word) {
		s.view.Announce(int(slot/64), 1<<(slot%64))
		if s.port.loop.seg.wake(s.waiter) {
			s.port.entry.Counters.Wakes.Add(1)
		}
	}
	if ghost {
		s.port.loop.Post(func() { s.port.layGhost(volume) })
	}
	s.leave()
}

// RespondOnLoop is Respond for callbacks on the loop: the answer is published at the end of the
// batch, or a few answers later.
func (r *Request) RespondOnLoop(errno syscall.Errno, serviced uint64) {
	s, l := r.from, r.from.port.loop
	t := &s.port.tally
	t.end(r.op, errno != 0, serviced)
	t.inFlight--
	if r.received == l.now {
		s.fresh++ // its time is known when it is published
	} else {
		t.took(l.now-r.received, 1)
	}
	slot, word, volume := r.slot, r.word, r.volume
	r.write(errno, serviced)
	ghost := r.left(r.state)
	r.state = requestFree
	if s.view.End(slot, word) {
		s.stage(slot)
	}
	if ghost {
		l.Post(func() { s.port.layGhost(volume) })
	}
	s.left()
}

// write puts the reply into the slot.
func (r *Request) write(errno syscall.Errno, serviced uint64) {
	sl := r.from.view.Slot(r.slot)
	sl.Error, sl.Serviced, sl.InlineSize = int32(errno), serviced, r.payloadLen
	r.data = nil
}

// left tells, from the last state of a request, whether its submitter is gone. The state is FREE
// before the slot is DONE: then the object may serve its next use.
func (r *Request) left(old uint32) (ghost bool) {
	if old == requestFree {
		panic("xseg: request was answered twice")
	}
	return old == requestGhost
}

// read fills r from its slot; false if the request makes no sense. Loop; after Begin.
func (r *Request) read(s *served, slot uint32, word uint64) bool {
	sl := s.view.Slot(slot)
	r.User, r.next, r.data, r.payloadLen, r.inLen, r.targetLen = nil, nil, nil, 0, 0, 0
	r.word, r.received = word, s.port.loop.now
	r.op, r.flags = sl.Op, sl.Flags
	r.volume, r.id = sl.Volume, sl.RequestId
	r.term, r.offset, r.size = sl.Term, sl.Offset, sl.Size
	inline, target := sl.InlineSize, sl.TargetSize
	if inline > abi.InlineMax || target > abi.TargetMax {
		return false
	}
	r.inLen = uint32(copy(r.in[:inline], sl.Payload[:inline]))
	r.targetLen = uint32(copy(r.target[:target], sl.Target[:target]))
	return r.readData(s.port.loop, sl.DataOffset, sl.DataSize)
}

// readData checks that the buffer lies in some channel's buffer area, in memory that is there.
func (r *Request) readData(l *Loop, off, n uint64) bool {
	if n == 0 {
		return true
	}
	if n > abi.MaxData || off > l.seg.t.size {
		return false
	}
	hint := &l.extents[off>>20%uint64(len(l.extents))]
	id, ok := l.seg.inBuffers(off, n, uint32(*hint))
	if !ok {
		return false
	}
	*hint = uint16(id)
	r.data = l.seg.mem[off : off+n : off+n]
	return true
}
