package nbdd

import (
	"errors"
	"fmt"
	"time"

	"archipelago/internal/nbd"
)

// An orderly restart keeps clients: the server stops reading, ends the requests under way, sends
// their answers, and gives the sockets to whoever keeps them for its successor, with the sessions'
// state beside them. Nothing is in doubt then: what isn't answered wasn't read. Two things go over in
// part: a write whose data is still coming, and answers that the client doesn't take.

// errGone says that a session can't go on because its volume isn't there any more.
var errGone = errors.New("the name belongs to another volume now")

// park ends the part of this server in a connection: what is under way is ended and answered, and
// Server.parked has it. false: that wasn't possible in time, or the connection is broken.
func (c *conn) park() bool {
	// A client that takes its replies needs no more time than this; others must not wait for one
	// that doesn't.
	impatient := time.AfterFunc(c.srv.limits.Stall, func() {
		c.leaving.Store(true)
		c.sock.writeBy.set(longAgo)
		c.takeSending()
	})
	defer impatient.Stop()
	c.flush()
	if !c.settled() {
		return false
	}
	c.takeUnsent()
	c.srv.keepParked(c)
	return true
}

// settled waits until the backend has nothing of this connection any more, and all replies are sent
// or never will be by this server. false: it takes too long, or the connection is broken.
func (c *conn) settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = true
	for !c.dead && c.ctx.Err() == nil && !c.isSettled() {
		c.cond.Wait()
	}
	c.waiting = false
	return !c.dead && c.ctx.Err() == nil
}

// isSettled: see settled. Precondition: conn.mu is held.
func (c *conn) isSettled() bool {
	n := c.inflight.Load()
	if c.left {
		return n == c.answered()
	}
	return n == 0 && !c.writing && len(c.queue) == 0
}

// answered is how many requests have all their replies queued. Preconditions: conn.mu is held,
// nobody sends.
func (c *conn) answered() (n int64) {
	for _, replies := range [][]reply{c.out.batch[c.out.done:], c.queue} {
		for i := range replies {
			if replies[i].final {
				n++
			}
		}
	}
	return n
}

// abandonSending notes that nobody sends any more.
func (c *conn) abandonSending() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = true
	c.cond.Broadcast()
}

// takeUnsent copies what the client hasn't taken and gives back all that it is in. Precondition:
// settled.
func (c *conn) takeUnsent() {
	c.mu.Lock()
	left := c.left
	c.mu.Unlock()
	if !left {
		return // all was sent
	}
	o := &c.out
	for _, replies := range [][]reply{o.batch[o.done:], c.queue} {
		for i := range replies {
			q := &replies[i]
			c.unsent = append(append(c.unsent, q.head[:q.size]...), q.payload...)
		}
		c.release(replies)
	}
	c.unsent = c.unsent[o.sent:]
	o.done, c.queue = len(o.batch), nil
}

// pauseWrite leaves a write to the successor: from off on, where the piece begins whose data hasn't
// come. The pieces before are under way.
func (c *conn) pauseWrite(s span, off uint64) {
	c.mu.Lock()
	c.paused = &pausedWrite{Request: s.r.Request, at: off}
	s.r.paused = true
	c.mu.Unlock()
	c.abandon(s.r, s.left+1, 0)
}

// resume goes on with what a predecessor left in the middle. Reader only.
func (c *conn) resume() error {
	if err := c.in.skip(0); err != nil || c.paused == nil {
		return err
	}
	w := *c.paused
	c.paused = nil
	c.inflight.Add(1)
	if errno := c.check(w.Request); errno != 0 { // the volume may have shrunk
		c.answer(w.Request, errno)
		return c.in.skip(int(w.Offset + uint64(w.Length) - w.at))
	}
	s := c.newSpan(w.Request, w.Length, Write)
	s.at = w.at
	s.left = int((s.end-1)/MaxIO-s.at/MaxIO) + 1
	s.r.left, s.r.errno = s.left, w.errno
	return c.writeSpan(s, w.Flags&nbd.CmdFlagFUA != 0)
}

// reopen opens the export of a session that was taken over.
func (c *conn) reopen() error {
	ctx, cancel := c.limited()
	defer cancel()
	e, err := c.srv.backend.Open(ctx, c.wanted.Name)
	if err != nil {
		return fmt.Errorf("take the session over: %w", err)
	}
	info := e.Info()
	if info.ID != c.wanted.ID {
		return fmt.Errorf("take the session over: %s: %w", c.wanted.Name, errGone)
	}
	c.export, c.info = e, info
	c.log = c.log.With("volume", info.Name)
	return nil
}

// session describes a parked connection.
func (c *conn) session(inode uint64) session {
	return session{
		inode: inode, phase: c.phase, noZeroes: c.noZeroes, structured: c.structured,
		contexts: c.contexts, id: c.info.ID, export: c.info.Name, metaExport: c.metaExport,
		owed: uint64(c.in.owed), paused: c.paused, unread: c.in.buffered(), unsent: c.unsent,
	}
}

// adopt makes a new connection go on as a session.
func (c *conn) adopt(s *session) {
	c.adopted, c.phase = true, s.phase
	c.noZeroes, c.structured = s.noZeroes, s.structured
	c.contexts, c.metaExport = s.contexts, s.metaExport
	c.wanted = Info{Name: s.export, ID: s.id}
	c.paused = s.paused
	c.in.owed = int(s.owed)
	c.in.unread(s.unread)
	if n := len(s.unsent); n > 0 {
		// Whatever the budget says: it was kept before.
		c.srv.heap.give(-n)
		q := c.push(false)
		q.size, q.payload, q.heap = 0, s.unsent, n
	}
}
