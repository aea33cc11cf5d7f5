package volume

import (
	"context"
	"syscall"

	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// MaxIO is how many bytes an IO reads or writes at most. The others may cover any range.
const MaxIO = xseg.MaxData

// Volume is an open volume. Safe for use by many goroutines. ReadAt, WriteAt, WriteZeroes, Discard
// and Flush block; any length; they split as needed.
type Volume struct {
	c    *Client
	l    *link
	info mapper.Info
}

// Info returns what Open said.
func (v *Volume) Info() mapper.Info { return v.info }

// IO is one request on a volume with its buffer in the segment. It belongs to whoever prepared it
// until Submit, and again from the call of done until Put.
type IO struct {
	v        *Volume
	call     *xseg.Call
	off      int64
	done     func()
	callDone func(*xseg.Call) // made once, so that Submit allocates nothing
}

// Prepare takes a slot for one request, and for xseg.OpRead and xseg.OpWrite a buffer of n bytes;
// nil: there is no room now, and those registered with OnRoom are told when there is. op is one of
// those, xseg.OpWriteZeroes, OpDiscard or OpFlush; flags are 0 or xseg.ReqFUA. Doesn't block,
// doesn't allocate.
// Preconditions: [off, off+n) lies inside the volume; n <= MaxIO where there is a buffer.
func (v *Volume) Prepare(op, flags uint32, off, n int64) *IO {
	k := v.l.ch.Get(dataBytes(op, n))
	if k == nil {
		return nil
	}
	return v.prepared(k, op, flags, off, n)
}

// PrepareWait is Prepare that waits for room until ctx ends. Not on the client's serving thread.
func (v *Volume) PrepareWait(ctx context.Context, op, flags uint32, off, n int64) (*IO, error) {
	k, err := v.l.ch.GetWait(ctx, dataBytes(op, n))
	if err != nil {
		return nil, err
	}
	return v.prepared(k, op, flags, off, n), nil
}

// OnRoom registers f, run on the client's serving thread whenever room appeared after a Prepare
// that found none. It must not block.
func (v *Volume) OnRoom(f func()) { v.l.addOnRoom(f) }

// dataBytes is the size of the buffer that op on n bytes needs.
func dataBytes(op uint32, n int64) int {
	if op == xseg.OpRead || op == xseg.OpWrite {
		return int(n)
	}
	return 0
}

func (v *Volume) prepared(k *xseg.Call, op, flags uint32, off, n int64) *IO {
	k.Op, k.Flags, k.Volume = op, flags, v.info.UUID
	k.Offset, k.Size = uint64(off), uint64(n)
	// The name too: a restarted vlmcd opens the volume again by it.
	k.SetTarget(v.info.Name)
	io := v.c.takeIO()
	io.v, io.call, io.off = v, k, off
	k.Done = io.callDone
	return io
}

// Data is the buffer: what to write before Submit, what was read after it. Page-aligned.
func (io *IO) Data() []byte { return io.call.Data() }

// Submit sends the request. done runs once, on the client's serving thread; it must not block.
func (io *IO) Submit(done func()) {
	io.done = done
	io.call.Submit()
}

// SubmitOnLoop is Submit for callers on the client's serving thread: the request goes out when they
// are done, together with others.
func (io *IO) SubmitOnLoop(done func()) {
	io.done = done
	io.call.SubmitOnLoop()
}

// Errno is the outcome, valid from done on.
func (io *IO) Errno() syscall.Errno { return io.call.Errno() }

// text is what the reply says about its error, beside the number.
func (io *IO) text() []byte { return io.call.Payload()[:io.call.PayloadLen()] }

// Put gives slot and buffer back. After done, or instead of Submit. Any goroutine.
func (io *IO) Put() {
	k, c := io.call, io.v.c
	io.v, io.call, io.done = nil, nil, nil
	c.freeMu.Lock()
	c.free = append(c.free, io)
	c.freeMu.Unlock()
	k.Put()
}

func (c *Client) takeIO() *IO {
	c.freeMu.Lock()
	defer c.freeMu.Unlock()
	if n := len(c.free); n > 0 {
		io := c.free[n-1]
		c.free = c.free[:n-1]
		return io
	}
	io := &IO{}
	io.callDone = func(*xseg.Call) { io.done() }
	return io
}
