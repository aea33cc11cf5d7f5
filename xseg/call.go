package xseg

import (
	"fmt"
	"syscall"

	"archipelago/xseg/internal/abi"
)

// Phases of a call: the submitter's private view of its slot, which a server can't scribble on.
// They change under the channel's mu, but for held and free of a call that is the loop's.
//
//	free       in the channel's list, or in the loop's own
//	held       the user's: between Get and Submit, and from Done to Put
//	flying     submitted; the reply, or a cancellation, ends it
//	abandoned  its user has gone on, but a server may still write to slot and buffer: quarantined
//	           until the reply, or until the server and what it passed on are dead
//	cancelled  taken back before a server began it, but its ring entry isn't read yet
const (
	callFree = iota
	callHeld
	callFlying
	callAbandoned
	callCancelled
)

// Call is the submitter's side of one request. Set the exported fields before Submit; the call
// belongs to the transport from Submit to Done.
type Call struct {
	Op        uint32
	Flags     uint32
	Volume    UUID
	Term      uint64
	Offset    uint64
	Size      uint64
	RequestID RequestID
	// Done runs on the loop when the reply is there (or the request has failed for good). It may
	// Put the call, and Get and Submit others. nil: the call is put back by itself.
	Done func(*Call)
	// User belongs to the submitter.
	User any

	ch    *Channel
	slot  uint32
	phase uint32
	stuck bool // failed for good while a server may still work on it: Put quarantines

	generation  uint64
	ringAt      uint32 // position of its ring entry
	submittedAt int64
	targetLen   uint32
	payloadLen  uint32
	firstPage   int32
	nrPages     int32
	data        []byte
	dataOff     Offset

	errno    syscall.Errno
	serviced uint64
	payload  [InlineMax]byte
	target   [abi.TargetMax]byte

	waiting bool          // Do waits for it
	done    chan struct{} // made at the first Do of this slot
}

// clear makes a free call new. Under the channel's mu.
func (k *Call) clear() {
	k.Op, k.Flags, k.Volume, k.Term, k.Offset, k.Size = 0, 0, UUID{}, 0, 0, 0
	k.RequestID, k.Done, k.User = RequestID{}, nil, nil
	k.targetLen, k.payloadLen, k.data, k.dataOff = 0, 0, nil, 0
	k.firstPage, k.nrPages = 0, 0
	k.errno, k.serviced, k.stuck, k.waiting = 0, 0, false, false
}

// SetTarget sets the name that the request acts on, at most 176 bytes.
func (k *Call) SetTarget(name string) {
	if len(name) > abi.TargetMax {
		panic(fmt.Sprintf("xseg: target of %d bytes, at most %d", len(name), abi.TargetMax))
	}
	k.targetLen = uint32(copy(k.target[:], name))
}

// Data returns the call's buffer, page-aligned; or what SetData pointed it to.
func (k *Call) Data() []byte { return k.data }

// SetData points the request at a buffer that lies elsewhere in the segment (zero copy), or at a
// part of its own. The caller keeps it alive until Done.
func (k *Call) SetData(b []byte) {
	if len(b) == 0 {
		k.data, k.dataOff = nil, 0
		return
	}
	off, ok := k.ch.loop.seg.OffsetOf(b)
	if !ok || len(b) > MaxData {
		panic(fmt.Sprintf("xseg: SetData with %d bytes outside of the segment, or too many", len(b)))
	}
	k.data, k.dataOff = b, off
}

// Payload returns the inline area (208 bytes): arguments before Submit, reply after Done. It is
// private memory: the reply was copied into it, and doesn't change.
func (k *Call) Payload() []byte { return k.payload[:] }

// SetPayloadLen says how much of Payload is meant.
func (k *Call) SetPayloadLen(n int) {
	if n < 0 || n > InlineMax {
		panic(fmt.Sprintf("xseg: payload of %d bytes, at most %d", n, InlineMax))
	}
	k.payloadLen = uint32(n)
}

// PayloadLen returns how much of Payload the reply means, at most 208.
func (k *Call) PayloadLen() int { return int(k.payloadLen) }

// Errno returns the reply's error, 0 for success. After Done.
func (k *Call) Errno() syscall.Errno { return k.errno }

// Serviced returns the reply's count. After Done. It is what the server says: check it.
func (k *Call) Serviced() uint64 { return k.serviced }

// fill writes the request into its slot, from private memory: what a dead server may have
// overwritten is whole again for its successor.
func (k *Call) fill() {
	s := k.ch.view.Slot(k.slot)
	s.Op, s.Flags, s.Volume, s.Term = k.Op, k.Flags, k.Volume, k.Term
	s.Offset, s.Size = k.Offset, k.Size
	s.DataOffset, s.DataSize = uint64(k.dataOff), uint64(len(k.data))
	s.TargetSize, s.InlineSize, s.RequestId = k.targetLen, k.payloadLen, k.RequestID
	s.Error, s.Serviced, s.Submitted = 0, 0, uint64(k.submittedAt)
	copy(s.Payload[:k.payloadLen], k.payload[:])
	copy(s.Target[:k.targetLen], k.target[:])
}

// readReply copies the reply out of the slot, each word once.
func (k *Call) readReply() {
	s := k.ch.view.Slot(k.slot)
	e, n := s.Error, s.InlineSize
	k.serviced = s.Serviced
	if e < 0 || e > 4095 || n > abi.InlineMax {
		e, n = int32(syscall.EPROTO), 0
	}
	k.errno = syscall.Errno(e)
	k.payloadLen = uint32(copy(k.payload[:n], s.Payload[:n]))
}
