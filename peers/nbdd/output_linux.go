package nbdd

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// windowVectors is how many pieces of memory one writev sends.
const windowVectors = 256

// output sends the replies of a connection. Used by one goroutine at a time: whoever has set
// conn.writing.
type output struct {
	batch []reply // taken from conn.queue; batch[:done] is sent and released
	done  int
	end   int          // batch[done:end] is the window: what one writev sends
	bytes int          // of the window
	sent  int          // of bytes
	total int64        // bytes ever sent
	iov   []unix.Iovec // what is left of the window
	step  func(fd int) bool
	wait  bool // for room in the socket
	errno syscall.Errno
}

func (o *output) init() {
	o.step = func(fd int) bool {
		for o.sent < o.bytes {
			var n int
			if n, o.errno = writev(fd, o.iov); o.errno != 0 {
				return o.errno != unix.EAGAIN || !o.wait
			}
			o.sent += n
			o.total += int64(n)
			if o.sent < o.bytes {
				o.window()
			}
		}
		return true
	}
}

// window fills iov from batch[done:], but for the bytes that are sent already.
func (o *output) window() {
	if o.iov == nil {
		o.iov = make([]unix.Iovec, 0, windowVectors)
	}
	o.iov, o.end, o.bytes = o.iov[:0], o.done, 0
	for o.end < len(o.batch) && len(o.iov)+2 <= windowVectors {
		q := &o.batch[o.end]
		o.add(q.head[:q.size])
		o.add(q.payload)
		o.end++
	}
}

func (o *output) add(b []byte) {
	skip := min(max(0, o.sent-o.bytes), len(b))
	o.bytes += len(b)
	if b = b[skip:]; len(b) > 0 {
		o.iov = append(o.iov, unix.Iovec{Base: &b[0], Len: uint64(len(b))})
	}
}

// flush sends what is queued, as far as it goes without waiting; what is left is sent when the client
// has made room. Doesn't block.
func (c *conn) flush() {
	c.mu.Lock()
	c.marked = false
	if c.writing || len(c.queue) == 0 {
		// Whoever writes looks at the queue again before it stops.
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.mu.Unlock()
	if c.pump() != nil {
		c.sendLater()
	}
}

// pump sends batch after batch. nil: nothing is queued any more, and, unless out.wait is set, the
// caller has ceased to be the one who writes. Otherwise it could not go on now.
func (c *conn) pump() error {
	for c.nextBatch() {
		for c.out.done < len(c.out.batch) {
			if err := c.send(); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextBatch takes the queue, unless the present batch isn't sent yet. false: there is nothing.
func (c *conn) nextBatch() bool {
	o := &c.out
	if o.done < len(o.batch) {
		return true
	}
	clear(o.batch) // so that it keeps no memory alive
	c.mu.Lock()
	defer c.mu.Unlock()
	o.batch, o.done, c.queue = c.queue, 0, o.batch[:0]
	c.stalled = false
	c.writing = len(o.batch) > 0 || o.wait
	if c.waiting && !c.writing {
		c.cond.Broadcast()
	}
	return len(o.batch) > 0
}

// send sends one window and releases it. Its error says that it could not go on now; a broken
// connection is none, for its replies are dropped.
func (c *conn) send() error {
	o := &c.out
	o.window()
	o.errno = 0
	err := c.setDeadline()
	if err == nil {
		err = c.sock.send(o.step)
	}
	if err == nil && o.errno != 0 {
		err = os.NewSyscallError("write", o.errno)
	}
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if err != nil {
		c.kill(err)
		o.end = len(o.batch)
	}
	c.release(o.batch[o.done:o.end])
	o.done, o.sent = o.end, 0
	return nil
}

// release gives back what sent (or dropped) replies held.
func (c *conn) release(replies []reply) {
	final, held := 0, 0
	for i := range replies {
		q := &replies[i]
		if q.part != nil {
			q.part.io.Put()
		}
		if q.heap > 0 {
			c.srv.heap.give(q.heap)
		}
		held += q.held
		if q.final {
			final++
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range replies {
		if p := replies[i].part; p != nil {
			c.freePart(p)
		}
	}
	c.held.Add(-int64(held))
	if c.inflight.Add(int64(-final)); c.waiting {
		c.cond.Broadcast()
	}
}
