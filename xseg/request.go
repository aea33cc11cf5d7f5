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
	state    atomic.Uint32
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
	s := r.from
	if r.answer(errno, serviced, shm.Monotonic()) {
		if s.port.loop.seg.wake(s.waiter) {
			s.port.entry.Counters.Wakes.Add(1)
		}
	}
	s.leave()
}

// RespondOnLoop is Respond for callbacks on the loop: the submitter is woken at the end of the
// batch.
func (r *Request) RespondOnLoop(errno syscall.Errno, serviced uint64) {
	s := r.from
	l := s.port.loop
	if r.answer(errno, serviced, shm.Monotonic()) {
		l.wakes.add(s.waiter)
	}
	s.leave()
}

// answer writes the reply and publishes it. Once it is published the submitter may use the slot
// again and the loop the object, so that nothing of r is touched after End.
func (r *Request) answer(errno syscall.Errno, serviced uint64, now int64) bool {
	s := r.from
	sl := s.view.Slot(r.slot)
	sl.Error, sl.Serviced, sl.InlineSize = int32(errno), serviced, r.payloadLen
	countEnd(&s.port.entry.Counters, r.op, errno != 0, serviced, now-r.received)
	s.port.entry.Counters.InFlight.Add(^uint64(0))
	slot, word, volume := r.slot, r.word, r.volume
	r.data = nil
	switch r.state.Swap(requestFree) {
	case requestFree:
		panic("xseg: request was answered twice")
	case requestGhost:
		defer s.port.ghostEnded(volume)
	}
	return s.view.End(slot, word)
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
