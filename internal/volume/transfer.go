package volume

import (
	"context"

	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// window is how many pieces of one blocking call are under way at once.
const window = 4

// ReadAt fills p from off.
func (v *Volume) ReadAt(ctx context.Context, p []byte, off int64) error {
	t := &transfer{v: v, op: xseg.OpRead, off: off, n: int64(len(p))}
	t.after = func(io *IO) { copy(p[io.off-off:], io.Data()) }
	return wrap(v.info.Name, "read", t.run(ctx))
}

// WriteAt writes p at off; it survives the death of every process.
func (v *Volume) WriteAt(ctx context.Context, p []byte, off int64) error {
	t := &transfer{v: v, op: xseg.OpWrite, off: off, n: int64(len(p))}
	t.before = func(io *IO) { copy(io.Data(), p[io.off-off:]) }
	return wrap(v.info.Name, "write", t.run(ctx))
}

// WriteZeroes makes the range read as zeros.
func (v *Volume) WriteZeroes(ctx context.Context, off, n int64) error {
	t := &transfer{v: v, op: xseg.OpWriteZeroes, off: off, n: n}
	return wrap(v.info.Name, "write zeros", t.run(ctx))
}

// Discard gives the range back; what it reads as afterwards is zeros or the old bytes.
func (v *Volume) Discard(ctx context.Context, off, n int64) error {
	t := &transfer{v: v, op: xseg.OpDiscard, off: off, n: n}
	return wrap(v.info.Name, "discard", t.run(ctx))
}

// Flush makes every acknowledged write durable.
func (v *Volume) Flush(ctx context.Context) error {
	io, err := v.PrepareWait(ctx, xseg.OpFlush, 0, 0, 0)
	if err == nil {
		t := &transfer{v: v, ended: make(chan *IO, 1)}
		t.submit(io)
		err = t.drain(ctx)
	}
	return wrap(v.info.Name, "flush", err)
}

// transfer is one blocking call: a range in pieces, several of them under way at once.
type transfer struct {
	v      *Volume
	op     uint32
	off, n int64
	before func(*IO) // fills a piece; may be nil
	after  func(*IO) // takes what a piece brought; may be nil

	ended   chan *IO // room for the window, so that the serving thread never blocks in it
	running int
	err     error // the first
}

func (t *transfer) run(ctx context.Context) error {
	if t.off < 0 || t.n < 0 || t.off > t.v.info.Size-t.n {
		return mapper.ErrArgument
	}
	t.ended = make(chan *IO, window)
	for at, end := t.off, t.off+t.n; at < end && t.err == nil; {
		n := t.piece(at, end-at)
		io, err := t.prepare(ctx, at, n)
		if err != nil {
			t.fail(err)
			break
		}
		if io == nil {
			continue
		}
		t.submit(io)
		at += n
	}
	if err := t.drain(ctx); err != nil {
		return err
	}
	return t.err
}

// piece is the length of the first piece of n bytes at off. Only what needs a buffer is split.
func (t *transfer) piece(off, n int64) int64 {
	if dataBytes(t.op, 1) == 0 {
		return n
	}
	return min(n, MaxIO-off%MaxIO)
}

// prepare gets an IO, or ends a running one first (nil, nil): a call that waited for room while it
// holds some could wait for itself.
func (t *transfer) prepare(ctx context.Context, off, n int64) (*IO, error) {
	if t.running == 0 {
		return t.v.PrepareWait(ctx, t.op, 0, off, n)
	}
	if t.running < window {
		if io := t.v.Prepare(t.op, 0, off, n); io != nil {
			return io, nil
		}
	}
	return nil, t.wait(ctx)
}

func (t *transfer) submit(io *IO) {
	if t.before != nil {
		t.before(io)
	}
	t.running++
	ended := t.ended
	io.Submit(func() { ended <- io })
}

// wait ends one running piece. Its error is ctx's or that of a closed client; then the pieces are
// left to a goroutine, for their buffers are in use until they are answered.
func (t *transfer) wait(ctx context.Context) error {
	select {
	case io := <-t.ended:
		t.finish(io)
		return nil
	case <-ctx.Done():
		t.abandon()
		return ctx.Err()
	case <-t.v.c.ended:
		t.running = 0
		return xseg.ErrClosed
	}
}

func (t *transfer) finish(io *IO) {
	t.running--
	if errno := io.Errno(); errno != 0 {
		t.fail(asError(errno, io.text()))
	} else if t.after != nil {
		t.after(io)
	}
	io.Put()
}

func (t *transfer) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// drain ends all that runs.
func (t *transfer) drain(ctx context.Context) error {
	for t.running > 0 {
		if err := t.wait(ctx); err != nil {
			return err
		}
	}
	return t.err
}

func (t *transfer) abandon() {
	running := t.running
	t.running = 0
	go func() {
		for range running {
			select {
			case io := <-t.ended:
				io.Put()
			case <-t.v.c.ended:
				return
			}
		}
	}()
}
