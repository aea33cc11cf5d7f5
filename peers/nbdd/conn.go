package nbdd

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is one connection.
type conn struct {
	srv *Server
	log *slog.Logger
	ctx context.Context // ends when the server gives up waiting for requests under way

	// Negotiated; constant during transmission.
	export     Export
	info       Info
	noZeroes   bool
	structured bool
	metaExport string     // for which contexts were selected
	contexts   contextSet // selected

	adopted bool  // from a predecessor
	wanted  Info  // adopted: name and ID of the export
	phase   phase // reader only
	// paused is the write in whose data the reading was stopped, or has to begin. The reader sets it;
	// its errno changes under mu.
	paused *pausedWrite
	unsent []byte // of the replies: what a successor has to send first

	sock *socket
	in   *input // reader only, but for stop

	turn    atomic.Int32  // whose it is to read
	back    chan struct{} // holds one: the turn is the goroutine's again
	filling filling       // reader only
	stall   *time.Timer   // ends the loop's patience with it

	sendOnRoom atomic.Bool // it is the loop's turn to go on sending
	sendStall  *time.Timer // ends the loop's patience with that

	out  output // of whoever has set writing
	pool pool   // half reader's, half under mu; see there

	// inflight counts requests whose last reply has neither been sent nor dropped.
	inflight atomic.Int64
	// held counts bytes of data that are kept for the client: in buffers of the backend, or moved
	// from there to the heap. The reader adds; what is taken away under mu wakes it up.
	held atomic.Int64
	// leaving: a sender that waits for the client gives up.
	leaving atomic.Bool
	// unmapped: that the map can't be read was reported.
	unmapped atomic.Bool

	mu      sync.Mutex
	cond    sync.Cond // inflight or held went down, dead was set, or the server gave up
	queue   []reply
	writing bool // somebody is sending, or about to
	left    bool // the sender has given up: what is unsent is a successor's
	marked  bool // there is something to flush at the end of a batch
	stalled bool // the client takes nothing: keep no buffers for it
	waiting bool // somebody waits on cond
	dead    bool // nothing is sent any more
	cause   error

	listed bool // in Server.dirty; under Server.dirtyMu
}

// newConn makes a connection of a connected, non-blocking socket, which it takes over.
func (s *Server) newConn(ctx context.Context, fd int, log *slog.Logger) *conn {
	c := &conn{srv: s, log: log, ctx: ctx, back: make(chan struct{}, 1)}
	c.cond.L = &c.mu
	c.sock = newSocket(s.poller, fd, c.arrived, c.writable)
	c.in = newInput(c.sock, c.flush)
	c.stall, c.sendStall = stopped(c.takeBack), stopped(c.takeSending)
	c.out.init()
	return c
}

// stopped returns a timer that doesn't run yet.
func stopped(f func()) *time.Timer {
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return t
}

// run serves the connection until it ends, and logs why if that was no orderly end.
func (c *conn) run() {
	c.flush() // what a predecessor has left
	err := c.serve()
	if errors.Is(err, errHandOver) {
		if c.park() {
			return
		}
		err = errShutdown
	}
	if isOrderly(err) {
		c.flush() // the batch may have ended in the middle
		c.waitInflight(0)
	}
	c.kill(err)
	// What was queued is dropped now; what the backend still has ends with its last done.
	c.flush()
	c.waitInflight(0)
	if err := c.end(); !isOrderly(err) {
		c.log.Warn("NBD connection ended", "error", err)
	} else {
		c.log.Debug("NBD connection ended")
	}
}

// serve goes on from the phase that the connection is in.
func (c *conn) serve() error {
	if c.phase == phaseTransmission {
		if err := c.reopen(); err != nil {
			return err
		}
	} else if err := c.negotiate(); err != nil {
		return err
	}
	return c.transmit()
}

// errDone is the end of a session as the client wished it.
var errDone = errors.New("client has ended the session")

// isOrderly says whether a connection ended as connections do: also a client that just goes away
// is no event, unless it does so in the middle of a request.
func isOrderly(err error) bool {
	return errors.Is(err, errDone) || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// kill ends the connection: nothing is read or sent any more. The first cause counts.
func (c *conn) kill(err error) {
	c.mu.Lock()
	if !c.dead {
		c.dead, c.cause = true, err
	}
	c.cond.Broadcast()
	c.mu.Unlock()
	c.sock.close()
	c.takeSending()
}

// end returns why the connection ended.
func (c *conn) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// waitInflight waits until at most n requests are under way, or the server gives up. On a dead
// connection it waits for what the backend still has (n = 0), or not at all.
func (c *conn) waitInflight(n int64) {
	if c.inflight.Load() <= n {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = true
	for c.inflight.Load() > n && c.ctx.Err() == nil && (n == 0 || !c.dead) {
		c.cond.Wait()
	}
	c.waiting = false
}

// waitHeld waits until n more bytes may be kept for the client, or nothing is: so one client never
// takes all buffers of the node. Reader only.
func (c *conn) waitHeld(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = true
	for c.holdsTooMuch(n) && !c.dead && c.ctx.Err() == nil {
		c.cond.Wait()
	}
	c.waiting = false
}

func (c *conn) holdsTooMuch(n int) bool {
	held := c.held.Load()
	return held > 0 && held+int64(n) > c.srv.limits.ClientBytes
}

// put gives an IO back that the backend doesn't have, and its bytes.
func (c *conn) put(io IO) {
	c.held.Add(-int64(len(io.Data())))
	io.Put()
}

// patience sets a deadline for everything the negotiation does next; 0 = none.
func (c *conn) patience(d time.Duration) {
	by := time.Time{}
	if d != 0 {
		by = time.Now().Add(d)
	}
	c.sock.setDeadline(by)
}

// explain makes a passed deadline readable.
func explain(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("client took too long to negotiate")
	}
	return err
}
