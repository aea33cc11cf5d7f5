package nbdd

// What a full socket has left unsent (conn.writing is set) goes out when there is room again. The loop
// sees to that; drain, a goroutine, takes over from a client that takes nothing for a while, and
// where the sending is to end. sendOnRoom is set while it is the loop's turn: whoever resets it has
// the sending.

// sendLater has the loop go on when there is room. Precondition: the caller has set writing.
func (c *conn) sendLater() {
	c.sendOnRoom.Store(true)
	c.sendStall.Reset(c.srv.limits.Stall)
	if c.sock.poller.change(c.sock, eventsBoth) != nil || c.leaving.Load() || c.sock.isClosed() {
		c.takeSending()
	}
}

// takeSending starts drain if it was the loop's turn to send. Any goroutine.
func (c *conn) takeSending() {
	if c.sendOnRoom.CompareAndSwap(true, false) {
		// What is unsent keeps the connection's own goroutine, so running isn't done.
		c.srv.running.Go(c.drain)
	}
}

// writable goes on with the sending; false if that isn't the loop's turn. Loop.
func (c *conn) writable() bool {
	if !c.sendOnRoom.CompareAndSwap(true, false) {
		return false
	}
	// No more of these events, or there would be one whenever a client takes an answer. Before the
	// sending ends: another thread may fill the socket, and ask for them, at once.
	_ = c.sock.poller.change(c.sock, eventsRead) // fails only once the socket is closed
	c.sendStall.Stop()
	if c.pump() != nil {
		c.sendLater()
	}
	return true
}
