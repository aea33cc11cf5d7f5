package nbdd

import (
	"archipelago/internal/nbd"
)

// reply is one message to the client that waits to be sent.
type reply struct {
	head    [nbd.ChunkDataSize]byte // room for the longest
	size    int                     // of head
	payload []byte
	part    *part // whose buffer payload is; nil: it has none, or it lies on the heap
	heap    int   // bytes of the heap budget that payload holds
	held    int   // bytes of conn.held
	final   bool  // the last one of its request
}

// queueData queues what p has read. Precondition: conn.mu is held.
func (c *conn) queueData(p *part, final bool) *reply {
	r, data := p.r, p.io.Data()
	q := c.push(final)
	switch {
	case !c.structured:
		q.size = len(nbd.AppendSimple(q.head[:0], r.Cookie, 0))
	case final:
		q.size = len(nbd.AppendDataChunk(q.head[:0], r.Cookie, nbd.ReplyFlagDone, p.off, len(data)))
	default:
		q.size = len(nbd.AppendDataChunk(q.head[:0], r.Cookie, 0, p.off, len(data)))
	}
	q.payload, q.part, q.held = data, p, len(data)
	return q
}

// queueEnd queues the reply to r when all its parts have ended and no data is on its way with it.
// Precondition: conn.mu is held.
func (c *conn) queueEnd(r *request) {
	if r.paused {
		c.paused.errno = r.errno
	}
	if c.dead || r.paused {
		c.srv.heap.give(len(r.whole))
		c.inflight.Add(-1)
		c.cond.Broadcast()
		return
	}
	q := c.push(true)
	q.heap = len(r.whole)
	switch read := r.Command == nbd.CmdRead; {
	case r.errno != 0 && c.structured:
		q.size = len(nbd.AppendErrorChunk(q.head[:0], r.Cookie, r.errno))
	case read && c.structured && len(r.whole) > 0:
		q.size = len(nbd.AppendDataChunk(q.head[:0], r.Cookie, nbd.ReplyFlagDone, r.Offset, len(r.whole)))
		q.payload = r.whole
	case read && c.structured:
		q.size = len(nbd.AppendChunk(q.head[:0], r.Cookie, nbd.ReplyFlagDone, nbd.ChunkNone, 0))
	default:
		q.size = len(nbd.AppendSimple(q.head[:0], r.Cookie, r.errno))
		if r.errno == 0 {
			q.payload = r.whole
		}
	}
}

// answer replies to a request that needed no IO. Reader only.
func (c *conn) answer(q nbd.Request, errno nbd.Errno) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queueEnd(&request{Request: q, errno: errno})
}

// push adds a reply to the queue, reusing its memory. Precondition: conn.mu is held.
func (c *conn) push(final bool) *reply {
	if len(c.queue) < cap(c.queue) {
		c.queue = c.queue[:len(c.queue)+1]
	} else {
		c.queue = append(c.queue, reply{})
	}
	q := &c.queue[len(c.queue)-1]
	q.payload, q.part, q.heap, q.held, q.final = nil, nil, 0, 0, final
	return q
}
