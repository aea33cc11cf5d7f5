package nbdd

import (
	"errors"
	"os"
	"time"
)

// errBudget says that too much is kept for clients that don't go on.
var errBudget = errors.New("client stalled, and the memory for stalled clients is used up")

// drain sends what flush could not, waiting for the client. If the client takes nothing for a
// while, what waits for it moves to the heap, so that it keeps no buffers from others. If a successor
// is to send it, drain gives up, and stays the one who writes: so nobody does any more.
func (c *conn) drain() {
	for {
		c.out.wait = true
		sent := c.pumpWaiting()
		c.out.wait = false
		if !sent {
			c.abandonSending()
			return
		}
		// A deadline that was left behind would send the next writes here again.
		c.sock.writeBy.set(time.Time{})
		// The last look at the queue is the one that ends the writing.
		if c.pump() == nil {
			return
		}
	}
}

// pumpWaiting sends until nothing is queued; false: it was told to leave.
func (c *conn) pumpWaiting() bool {
	for {
		before := c.out.total
		if c.pump() == nil {
			return true
		}
		if c.leaving.Load() {
			return false
		}
		if c.out.total == before {
			c.spill()
		}
	}
}

// setDeadline limits how long send may wait while it keeps buffers of the backend.
func (c *conn) setDeadline() error {
	if !c.out.wait {
		return nil
	}
	deadline := time.Time{}
	if holdsParts(c.out.batch[c.out.done:]) {
		deadline = time.Now().Add(c.srv.limits.Stall)
	}
	c.sock.writeBy.set(deadline)
	if c.leaving.Load() { // whoever set that sets a deadline next, which this one may have replaced
		return os.ErrDeadlineExceeded
	}
	return nil
}

func holdsParts(replies []reply) bool {
	for i := range replies {
		if replies[i].part != nil {
			return true
		}
	}
	return false
}

// spill moves the data that waits for the client to the heap, and sees to it that what comes goes
// there too until the client has taken this batch.
func (c *conn) spill() {
	c.mu.Lock()
	c.stalled = true
	parts, ok := c.moveAll(c.out.batch[c.out.done:], nil)
	if ok {
		parts, ok = c.moveAll(c.queue, parts)
	}
	c.mu.Unlock()
	for _, p := range parts {
		p.io.Put()
	}
	c.mu.Lock()
	for _, p := range parts {
		c.freePart(p)
	}
	c.mu.Unlock()
	if !ok {
		c.kill(errBudget)
	}
}

// moveAll moves the data of replies to the heap and adds the parts that held it to parts.
// Precondition: conn.mu is held.
func (c *conn) moveAll(replies []reply, parts []*part) ([]*part, bool) {
	for i := range replies {
		q := &replies[i]
		if q.part == nil {
			continue
		}
		p := q.part
		if !c.move(q) {
			return parts, false
		}
		parts = append(parts, p)
	}
	return parts, true
}

// move copies the data of one reply to the heap, if the budget has room.
func (c *conn) move(q *reply) bool {
	n := len(q.payload)
	if !c.srv.heap.take(n) {
		return false
	}
	q.payload = append(make([]byte, 0, n), q.payload...)
	q.heap, q.part = n, nil
	return true
}
