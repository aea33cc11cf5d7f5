package nbdd

import (
	"archipelago/internal/nbd"
)

// maxExtents is how many extents of a context one reply has at most; a client asks again for what
// lies behind them.
const maxExtents = 2048

// status answers a block status request, on a goroutine of its own: the map may have to be read from
// the storage, which other requests of the client don't wait for.
func (c *conn) status(q nbd.Request) {
	most := maxExtents
	if q.Flags&nbd.CmdFlagReqOne != 0 {
		most = 1
	}
	lists := c.extents(q, most)
	if n := listBytes(lists); c.srv.heap.take(n) {
		c.mu.Lock()
		c.queueStatus(q, lists)
		c.mu.Unlock()
	} else {
		c.answer(q, nbd.ENOMEM)
	}
	c.flush()
}

// extentList gathers the extents of one context.
type extentList struct {
	context int // in metaContexts
	most    int
	count   int
	state   uint32 // of the last one
	length  uint32 // of the last one, which isn't in data yet
	data    []byte // encoded
}

// extents asks the backend what is in the range of q. What it can't say is reported as data: a
// client then reads it, which is right, if slow.
func (c *conn) extents(q nbd.Request, most int) []extentList {
	var lists []extentList
	for i := range metaContexts {
		if c.contexts.has(i) {
			lists = append(lists, extentList{context: i, most: most})
		}
	}
	left := uint64(q.Length)
	err := c.export.Extents(c.ctx, q.Offset, left, func(x Extent) bool {
		x.Length = min(x.Length, left)
		left -= x.Length
		return addExtent(lists, x) && left > 0
	})
	if err != nil {
		if !c.unmapped.Swap(true) {
			c.log.Warn("the map can't be read: block status says data", "error", err)
		}
		addExtent(lists, Extent{Length: left, Depth: 1})
	}
	for i := range lists {
		lists[i].close()
	}
	return lists
}

// addExtent adds x to all lists; false: none takes more.
func addExtent(lists []extentList, x Extent) bool {
	more := false
	for i := range lists {
		more = lists[i].add(x) || more
	}
	return more
}

// add adds an extent, joining it with the last one where it goes on; false if the list is full.
func (l *extentList) add(x Extent) bool {
	state := metaContexts[l.context].state(x)
	switch {
	case x.Length == 0:
		return true
	case l.most == 0:
		return false
	case l.count > 0 && state == l.state:
		l.length += uint32(x.Length)
		return true
	case l.count == l.most:
		l.most = 0 // what comes doesn't touch the last one
		return false
	}
	l.close()
	l.count, l.state, l.length = l.count+1, state, uint32(x.Length)
	return true
}

// close encodes the last extent.
func (l *extentList) close() {
	if l.count > 0 {
		l.data = nbd.AppendExtent(l.data, l.length, l.state)
	}
}

func listBytes(lists []extentList) (n int) {
	for i := range lists {
		n += len(lists[i].data)
	}
	return n
}

// queueStatus queues a chunk for each context. The heap budget of their data was taken.
// Precondition: conn.mu is held.
func (c *conn) queueStatus(q nbd.Request, lists []extentList) {
	if c.dead {
		c.srv.heap.give(listBytes(lists))
		c.inflight.Add(-1)
		c.cond.Broadcast()
		return
	}
	for i := range lists {
		l, flags := &lists[i], uint16(0)
		last := i == len(lists)-1
		if last {
			flags = nbd.ReplyFlagDone
		}
		r := c.push(last)
		r.size = len(nbd.AppendStatusChunk(r.head[:0], q.Cookie, flags, uint32(l.context+1), l.count))
		r.payload, r.heap = l.data, len(l.data)
	}
}
