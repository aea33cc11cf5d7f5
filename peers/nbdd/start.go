package nbdd

import (
	"errors"

	"archipelago/internal/nbd"
)

// start submits a request that was checked.
func (c *conn) start(q nbd.Request) error {
	fua := q.Flags&nbd.CmdFlagFUA != 0
	switch {
	case q.Command == nbd.CmdBlockStatus:
		c.srv.running.Go(func() { c.status(q) })
	case q.Command == nbd.CmdFlush && c.info.ReadOnly:
		c.answer(q, 0) // a snapshot was made durable when it was made
	case q.Command == nbd.CmdFlush:
		c.flushExport(q)
	case q.Length == 0:
		c.answer(q, 0)
	case q.Command == nbd.CmdRead:
		c.read(q)
	case q.Command == nbd.CmdWrite:
		return c.write(q, fua)
	case q.Command == nbd.CmdTrim:
		c.spread(c.newSpan(q, q.Length, Discard), fua)
	case q.Command == nbd.CmdCache:
		// Reading it is what warms it up; more than a long read is not promised to stay warm.
		c.spread(c.newSpan(q, min(q.Length, nbd.MaxPayload), Read), false)
	case q.Flags&nbd.CmdFlagNoHole != 0:
		c.spread(c.newSpan(q, q.Length, Write), fua)
	default:
		c.spread(c.newSpan(q, q.Length, WriteZeroes), fua)
	}
	return nil
}

// span is a range that is worked off in pieces, and the request that it belongs to.
type span struct {
	r       *request
	op      Op
	at, end uint64
	left    int // pieces
}

// newSpan makes the request for q, on n bytes. Only what has a buffer is split. n > 0.
func (c *conn) newSpan(q nbd.Request, n uint32, op Op) span {
	s := span{r: c.newRequest(q), op: op, at: q.Offset, end: q.Offset + uint64(n), left: 1}
	if op == Read || op == Write {
		s.left = int((s.end-1)/MaxIO-s.at/MaxIO) + 1
	}
	s.r.left = s.left
	return s
}

// next takes the next piece: pieces end at multiples of MaxIO. When the last one has been submitted
// the request may be gone.
func (s *span) next() (off uint64, n int) {
	off, n = s.at, int(s.end-s.at)
	if s.left > 1 {
		n = int(MaxIO - off%MaxIO)
	}
	s.at += uint64(n)
	s.left--
	return off, n
}

// spread submits the pieces of a span that need nothing from the client.
func (c *conn) spread(s span, fua bool) {
	for s.left > 0 {
		off, n := s.next()
		io, errno := c.prepare(s.op, fua, off, n)
		if errno != 0 {
			c.abandon(s.r, s.left+1, errno)
			return
		}
		if s.op == Write {
			clear(io.Data()) // the zeros of a write-zeroes that must leave no hole
		}
		io.Submit(c.newPart(s.r, io, off).done)
	}
}

// prepare gets an IO, waiting for room if there is none. What was answered on the way is sent
// before: its buffers may be the room.
func (c *conn) prepare(op Op, fua bool, off uint64, n int) (IO, nbd.Errno) {
	bytes := 0
	if op == Read || op == Write {
		bytes = n
	}
	if c.holdsTooMuch(bytes) {
		c.flush()
		c.waitHeld(bytes)
	}
	if io := c.export.Prepare(op, fua, off, n); io != nil {
		c.held.Add(int64(bytes))
		return io, 0
	}
	c.flush()
	io, err := c.export.PrepareWait(c.ctx, op, fua, off, n)
	switch {
	case err == nil:
		c.held.Add(int64(bytes))
		return io, 0
	case c.ctx.Err() != nil:
		return nil, nbd.ESHUTDOWN
	}
	// The machine has no shared memory left. A guest that stops at a full disk goes on when there
	// is space again; so it should here.
	c.log.Warn("no buffer for an NBD request", "error", err)
	return nil, nbd.ENOSPC
}

func (c *conn) flushExport(q nbd.Request) {
	r := c.newRequest(q)
	r.left = 1
	io, errno := c.prepare(Flush, false, 0, 0)
	if errno != 0 {
		c.abandon(r, 1, errno)
		return
	}
	io.Submit(c.newPart(r, io, 0).done)
}

// read submits a read. Several pieces go to the client as several chunks, unless it can't or won't
// take them: then they are gathered on the heap, for a reply whose beginning says "no error" can't
// take that back.
func (c *conn) read(q nbd.Request) {
	s := c.newSpan(q, q.Length, Read)
	if s.left > 1 && (!c.structured || q.Flags&nbd.CmdFlagDF != 0) {
		if !c.srv.heap.take(int(q.Length)) {
			c.abandon(s.r, s.left, nbd.ENOMEM)
			return
		}
		s.r.whole = make([]byte, q.Length)
	}
	c.spread(s, false)
}

// write submits a write, each piece when its data has come.
func (c *conn) write(q nbd.Request, fua bool) error {
	return c.writeSpan(c.newSpan(q, q.Length, Write), fua)
}

// writeSpan submits what is left of a write.
func (c *conn) writeSpan(s span, fua bool) error {
	for s.left > 0 {
		off, n := s.next()
		io, errno, err := c.receive(fua, off, n)
		if err := c.writePiece(&s, off, io, errno, err); err != nil || errno != 0 {
			return err
		}
	}
	return nil
}

// writePiece submits the piece of a write that s has just given, with the outcome of receive. Where
// that was none the write ends with it.
func (c *conn) writePiece(s *span, off uint64, io IO, errno nbd.Errno, err error) error {
	switch {
	case errors.Is(err, errHandOver) && errno == 0:
		c.pauseWrite(*s, off)
		return err
	case errors.Is(err, errHandOver):
		c.in.owed += int(s.end - s.at)
	case err != nil:
		errno = nbd.EIO // nobody will read it: the connection ends
	}
	if errno != 0 {
		c.abandon(s.r, s.left+1, errno)
	}
	switch {
	case err != nil:
		return err
	case errno != 0:
		return c.in.skip(int(s.end - s.at))
	}
	io.Submit(c.newPart(s.r, io, off).done)
	return nil
}
