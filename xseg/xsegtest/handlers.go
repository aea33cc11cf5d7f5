package xsegtest

import (
	"encoding/binary"
	"hash/crc32"
	"syscall"

	"archipelago/xseg"
)

// Echo is a handler without memory:
//
//	PING          answers with the request's inline payload and target, as far as they fit
//	WRITE         serviced = CRC-32C of the data
//	READ          fills the data with Pattern(offset)
//	anything else EOPNOTSUPP
func Echo(r *xseg.Request) {
	switch r.Op() {
	case xseg.OpPing:
		n := copy(r.Payload(), r.PayloadIn())
		n += copy(r.Payload()[n:], r.Target())
		r.SetPayloadLen(n)
		r.RespondOnLoop(0, uint64(len(r.Data())))
	case xseg.OpWrite:
		r.RespondOnLoop(0, uint64(Sum(r.Data())))
	case xseg.OpRead:
		Pattern(r.Data(), r.Offset())
		r.RespondOnLoop(0, uint64(len(r.Data())))
	default:
		r.RespondOnLoop(syscall.EOPNOTSUPP, 0)
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum is the checksum that Echo answers a WRITE with.
func Sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Pattern fills b with bytes that depend on seed.
func Pattern(b []byte, seed uint64) {
	x := seed*0x9e3779b97f4a7c15 + 1
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, x)
		x, b = x*6364136223846793005+1442695040888963407, b[8:]
	}
	for i := range b {
		b[i] = byte(x >> (8 * i))
	}
}

// Forwarder passes requests on over a channel, pointing into the buffers that it was given.
type Forwarder struct {
	c     *xseg.Channel
	queue []*xseg.Request // waiting for room
	done  func(*xseg.Call)
}

// Use sets the channel. On the loop, or before it runs.
func (f *Forwarder) Use(c *xseg.Channel) {
	f.c, f.done = c, f.ended
	c.OnRoom(f.room)
}

// Serve is the handler.
func (f *Forwarder) Serve(r *xseg.Request) {
	if f.c == nil || len(f.queue) != 0 || !f.pass(r) {
		f.queue = append(f.queue, r)
	}
}

func (f *Forwarder) pass(r *xseg.Request) bool {
	k := f.c.GetOnLoop(0)
	if k == nil {
		return false
	}
	k.Op, k.Flags, k.Volume, k.Offset, k.Size = r.Op(), r.Flags(), r.Volume(), r.Offset(), r.Size()
	k.SetData(r.Data())
	k.SetPayloadLen(copy(k.Payload(), r.PayloadIn()))
	k.Done, k.User = f.done, r
	k.SubmitOnLoop()
	return true
}

func (f *Forwarder) ended(k *xseg.Call) {
	r := k.User.(*xseg.Request)
	r.SetPayloadLen(copy(r.Payload(), k.Payload()[:k.PayloadLen()]))
	r.RespondOnLoop(k.Errno(), k.Serviced())
	k.PutOnLoop()
}

func (f *Forwarder) room() {
	for len(f.queue) != 0 && f.pass(f.queue[0]) {
		f.queue = f.queue[1:]
	}
}
