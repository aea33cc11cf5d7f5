package nbdd

import (
	"errors"
	"fmt"

	"archipelago/internal/nbd"
)

// An orderly restart keeps clients: the server stops reading, ends the requests under way, sends
// their answers, and gives the sockets to whoever keeps them for its successor, with the sessions'
// state beside them. Nothing is in doubt then: what isn't answered wasn't read, but for a write
// whose data has come in part; that one goes over with what came of it.

// errGone says that a session can't go on because its volume isn't there any more.
var errGone = errors.New("the name belongs to another volume now")

// park ends the part of this server in a connection: what is under way is ended and answered, and
// Server.parked has it. false: that wasn't possible in time, or the connection is broken.
func (c *conn) park() bool {
	c.flush()
	c.waitInflight(0)
	c.mu.Lock()
	ok := !c.dead && c.inflight.Load() == 0
	c.mu.Unlock()
	if ok {
		c.srv.keepParked(c)
	}
	return ok
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
		owed: uint64(c.in.owed), paused: c.paused, unread: c.in.buffered(),
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
}
