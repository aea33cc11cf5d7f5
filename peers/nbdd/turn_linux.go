package nbdd

import "golang.org/x/sys/unix"

// Whose turn it is to read a connection. Its goroutine reads in the negotiation, and whatever may
// have to wait: for room, for the map, for a client that stops in the middle. In between it lends the
// reading to the thread that serves the backend's completions, which so takes a request, and sends
// its answer, without any hand-over to another thread.
//
//	reader → loop    the goroutine, in lend
//	loop → busy      the loop, when something has arrived
//	busy → loop      the loop, when it has read what there was
//	busy → reader    the loop, when it met what it can't do: it says so on conn.back
//	loop → reader    the goroutine, when it is to end; a timer, and the loop itself, which say so
//
// Whoever has the turn is the reader in the sense of all that is "reader only".
const (
	turnReader = iota
	turnLoop
	turnBusy
)

// lend lets the loop read until it gives the turn back. Reader only.
func (c *conn) lend() {
	over := c.sock.readBy.passed() // as soon as a successor is to read
	c.turn.Store(turnLoop)
	for {
		ending := true
		select {
		case <-c.back:
			return
		case <-c.sock.canRead: // from before the turn was the loop's
			ending = false
		case <-over:
		case <-c.sock.gone:
		}
		switch {
		case c.turn.CompareAndSwap(turnLoop, turnReader):
			return
		case ending: // the loop is at it, and looks at recalled when it has finished
			<-c.back
			return
		}
	}
}

// recalled says that the loop is to read no more.
func (c *conn) recalled() bool { return c.in.stopped.Load() || c.sock.isClosed() }

// takeBack takes the turn from the loop for the goroutine, unless the loop is reading.
func (c *conn) takeBack() {
	if c.turn.CompareAndSwap(turnLoop, turnReader) {
		c.back <- struct{}{}
	}
}

// arrived reads what has come; false if that isn't the loop's turn. Loop.
func (c *conn) arrived() bool {
	if !c.turn.CompareAndSwap(turnLoop, turnBusy) {
		return false
	}
	got := c.readQuick()
	if got == readSlow {
		c.turn.Store(turnReader)
		c.back <- struct{}{}
	} else {
		if c.filling.io != nil {
			// A client that sends nothing for a while doesn't keep the buffer: the goroutine takes it
			// away.
			c.stall.Reset(c.srv.limits.Stall)
		}
		c.turn.Store(turnLoop)
		if c.recalled() {
			c.takeBack()
		}
		if got == readMore {
			c.srv.poller.readOn(c.sock)
		}
	}
	c.flush()
	return true
}

// What a read of the loop has come to.
const (
	readAll  = iota // there is no more now
	readMore        // there may be more
	readSlow        // the goroutine has to go on
)

// readQuick reads once and starts the requests that have come. Loop, with the turn.
func (c *conn) readQuick() int {
	f := &c.filling
	var rest []byte
	if f.io != nil {
		rest = f.io.Data()[f.got:]
	}
	n, room, errno := c.in.moreNow(rest)
	if errno == unix.EAGAIN {
		return readAll
	}
	if errno != 0 || n == 0 {
		return readSlow // which will see the same
	}
	if f.io != nil {
		f.got += min(n, len(rest))
		if f.got < len(f.io.Data()) {
			return readAll // a socket that had more would have filled it
		}
		c.endFilling()
	}
	if !c.startQuick() {
		return readSlow
	}
	if n == room {
		return readMore
	}
	return readAll
}
