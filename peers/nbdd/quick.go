package nbdd

import (
	"archipelago/internal/nbd"
)

// filling is a write whose data is coming in, in the buffer of its IO, while the loop reads. Without an
// IO there is none.
type filling struct {
	q   nbd.Request
	io  IO
	got int // bytes
}

// startQuick starts the requests that are buffered; false if one of them is for the goroutine: it
// and what follows are still buffered. Loop, with the turn.
func (c *conn) startQuick() bool {
	for c.filling.io == nil {
		b := c.in.buffered()
		if len(b) < nbd.RequestSize {
			return true
		}
		q, err := nbd.DecodeRequest(b)
		if err != nil || !c.quick(q) {
			return false
		}
	}
	return true
}

// quick starts a request if that can't block and takes one IO; else it does nothing and returns
// false. Loop, with the turn.
func (c *conn) quick(q nbd.Request) bool {
	op, ok := c.quickOp(q)
	if !ok || c.inflight.Load() >= int64(c.srv.limits.Requests) || c.check(q) != 0 {
		return false
	}
	bytes := 0
	if op == Read || op == Write {
		bytes = int(q.Length)
	}
	if c.holdsTooMuch(bytes) {
		return false
	}
	io := c.export.Prepare(op, q.Flags&nbd.CmdFlagFUA != 0, q.Offset, int(q.Length))
	if io == nil {
		return false
	}
	c.held.Add(int64(bytes))
	c.inflight.Add(1)
	c.in.use(nbd.RequestSize)
	if op == Write {
		f := filling{q: q, io: io, got: c.in.take(io.Data())}
		if f.got < bytes {
			c.filling = f
			return true
		}
	}
	c.submitQuick(q, io)
	return true
}

// quickOp returns what a request asks of the backend; false if that isn't a single IO, or takes a
// question that blocks. What is wrong with a request is check's to say: that of one in the export's
// range asks nobody.
func (c *conn) quickOp(q nbd.Request) (Op, bool) {
	if q.Command == nbd.CmdFlush {
		return Flush, !c.info.ReadOnly
	}
	if q.Length == 0 || !c.covers(q.Offset, uint64(q.Length)) {
		return 0, false
	}
	onePiece := q.Offset/MaxIO == (q.Offset+uint64(q.Length)-1)/MaxIO
	switch q.Command {
	case nbd.CmdRead:
		return Read, onePiece
	case nbd.CmdWrite:
		return Write, onePiece
	case nbd.CmdTrim:
		return Discard, true
	case nbd.CmdWriteZeroes:
		return WriteZeroes, q.Flags&nbd.CmdFlagNoHole == 0
	}
	return 0, false
}

func (c *conn) submitQuick(q nbd.Request, io IO) {
	r := c.newRequest(q)
	r.left = 1
	io.SubmitOnLoop(c.newPart(r, io, q.Offset).done)
}

// endFilling submits the write whose data is there now. Loop, with the turn.
func (c *conn) endFilling() {
	f := c.filling
	c.filling = filling{}
	c.stall.Stop()
	c.submitQuick(f.q, f.io)
}

// fillOn goes on with the write whose data the loop has read in part. Reader only.
func (c *conn) fillOn() error {
	f := c.filling
	c.filling = filling{}
	s := c.newSpan(f.q, f.q.Length, Write)
	off, _ := s.next() // the only piece
	fua := f.q.Flags&nbd.CmdFlagFUA != 0
	io, errno, err := c.receiveInto(f.io, fua, off, f.got)
	return c.writePiece(&s, off, io, errno, err)
}
