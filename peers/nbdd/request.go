package nbdd

import (
	"archipelago/internal/nbd"
)

// request is one request of a client while it is under way. The reader makes it and fills it in;
// once its first part is submitted, left and errno change under conn.mu only.
type request struct {
	nbd.Request
	left  int       // parts that have not ended
	errno nbd.Errno // of the first part that failed
	// paused: a successor will answer; what happens here goes into conn.paused.
	paused bool
	// whole gathers the data of a read that must be answered in one piece and is longer than an
	// IO; else nil.
	whole []byte
	next  *request
}

// part is one IO of a request.
type part struct {
	c    *conn
	r    *request
	io   IO
	off  uint64
	done func() // p.ended, made once
	next *part
}

// pool keeps requests and parts of a connection for reuse. The reader takes from its own lists and
// refills them from the shared ones, so that it needs the lock only now and then.
type pool struct {
	requests, freeRequests *request // own; shared under conn.mu
	parts, freeParts       *part
}

func (c *conn) newRequest(q nbd.Request) *request {
	if c.pool.requests == nil {
		c.mu.Lock()
		c.pool.requests, c.pool.freeRequests = c.pool.freeRequests, nil
		c.mu.Unlock()
	}
	r := c.pool.requests
	if r == nil {
		r = &request{}
	} else {
		c.pool.requests = r.next
	}
	*r = request{Request: q}
	return r
}

func (c *conn) newPart(r *request, io IO, off uint64) *part {
	if c.pool.parts == nil {
		c.mu.Lock()
		c.pool.parts, c.pool.freeParts = c.pool.freeParts, nil
		c.mu.Unlock()
	}
	p := c.pool.parts
	if p == nil {
		p = &part{c: c}
		p.done = p.ended
	} else {
		c.pool.parts = p.next
	}
	p.r, p.io, p.off = r, io, off
	return p
}

// freeRequest gives r back. Precondition: conn.mu is held.
func (c *conn) freeRequest(r *request) {
	r.next, c.pool.freeRequests = c.pool.freeRequests, r
}

// freePart gives p back; its IO was Put. Precondition: conn.mu is held.
func (c *conn) freePart(p *part) {
	p.r, p.io = nil, nil
	p.next, c.pool.freeParts = c.pool.freeParts, p
}

// ended takes the end of an IO: on a thread of the backend, or inside Submit.
func (p *part) ended() {
	c, r, io := p.c, p.r, p.io
	errno := nbd.FromSyscall(io.Errno())
	if r.whole != nil && errno == 0 {
		copy(r.whole[p.off-r.Offset:], io.Data())
	}
	c.mu.Lock()
	keep, full := c.sendPart(p, errno)
	if !keep {
		c.freePart(p)
		c.held.Add(-int64(len(io.Data())))
		if c.waiting {
			c.cond.Broadcast()
		}
	}
	if c.left {
		c.cond.Broadcast() // nobody sends; there is one reply more to hand over
	}
	mark := !c.marked && len(c.queue) > 0
	c.marked = c.marked || mark
	c.mu.Unlock()
	if !keep {
		io.Put()
	}
	if full {
		c.kill(errBudget)
	}
	if mark {
		c.srv.markDirty(c)
	}
}

// sendPart queues what the end of p gives to send. keep: p's buffer is part of it. full: it should
// not be, for the client is stalled, but the heap budget is used up.
// Precondition: conn.mu is held.
func (c *conn) sendPart(p *part, errno nbd.Errno) (keep, full bool) {
	r := p.r
	r.left--
	if errno != 0 && r.errno == 0 {
		r.errno = errno
	}
	if r.Command == nbd.CmdRead && r.whole == nil && r.errno == 0 && !c.dead {
		q := c.queueData(p, r.left == 0)
		full = c.stalled && !c.move(q)
		keep = q.part != nil
	} else if r.left == 0 {
		c.queueEnd(r)
	}
	if r.left == 0 {
		c.freeRequest(r)
	}
	return keep, full
}

// abandon ends n parts of r that were never submitted. Reader only.
func (c *conn) abandon(r *request, n int, errno nbd.Errno) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.errno == 0 {
		r.errno = errno
	}
	if r.left -= n; r.left == 0 {
		c.queueEnd(r)
		c.freeRequest(r)
	}
}
