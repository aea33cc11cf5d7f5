package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// maxControls bounds the connections; whoever comes later waits in the socket's queue.
	maxControls = 16
	// idleControl is how long a connection may ask for nothing.
	idleControl = time.Minute
)

// controlServer is the supervisor's side of the control socket. One goroutine accepts, one per
// connection serves.
type controlServer struct {
	s      *supervisor
	ln     *net.UnixListener
	ctx    context.Context
	cancel context.CancelFunc
	room   chan struct{} // holds an element per connection
	wg     sync.WaitGroup
}

// openControl makes the socket, for whoever may write in the runtime directory: the owner, and
// where the node is the machine's, its group.
func (s *supervisor) openControl() (*controlServer, error) {
	path := filepath.Join(s.cfg.RuntimeDir, controlSocket)
	f, err := listen(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if s.cfg.Dir != "" {
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, fmt.Errorf("socket %s: %w", path, err)
		}
	}
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	c := &controlServer{s: s, ln: ln.(*net.UnixListener), room: make(chan struct{}, maxControls)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.wg.Go(c.accept)
	return c, nil
}

// close ends all connections; what was asked for and is under way gets told that the node stops.
func (c *controlServer) close() {
	// The file goes first: a client that comes now learns that there is no supervisor.
	_ = os.Remove(filepath.Join(c.s.cfg.RuntimeDir, controlSocket))
	c.ln.Close()
	c.cancel()
	c.wg.Wait()
}

func (c *controlServer) accept() {
	for {
		c.room <- struct{}{}
		conn, err := c.ln.Accept()
		if err != nil {
			<-c.room
			if c.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors, most likely: others may be closed by then.
			c.s.log.Warn("control socket", "error", err)
			c.pause(time.Second)
			continue
		}
		c.wg.Go(func() {
			c.serve(conn)
			<-c.room
		})
	}
}

func (c *controlServer) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-c.ctx.Done():
	}
}

// serve answers one client until it goes away, says nothing for a while, or the node stops.
func (c *controlServer) serve(conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	// Whatever waits for the client ends with ctx; what is still to be said has a moment.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	requests := make(chan []byte)
	c.wg.Go(func() {
		defer cancel() // the client is gone
		readLines(ctx, conn, requests)
	})
	idle := time.NewTimer(idleControl)
	defer idle.Stop()
	for {
		idle.Reset(idleControl)
		select {
		case line := <-requests:
			if c.answer(ctx, conn, line) != nil {
				return
			}
		case <-ctx.Done():
			return
		case <-idle.C:
			return
		}
	}
}

// readLines passes lines on until the client ends, sends too long a line, or ctx ends. It reads on
// while a request is served, and so sees the client's end.
func readLines(ctx context.Context, conn net.Conn, to chan<- []byte) {
	in := bufio.NewScanner(conn)
	in.Buffer(nil, maxRequestLine)
	for in.Scan() {
		select {
		case to <- append([]byte(nil), in.Bytes()...):
		case <-ctx.Done():
			return
		}
	}
}

// answer serves one request. Its error is one of the connection.
func (c *controlServer) answer(ctx context.Context, conn net.Conn, line []byte) error {
	out := &replier{conn: conn}
	alive := out.keepAlive()
	final := controlReply{Done: true}
	r, err := parseRequest(line)
	switch {
	case err != nil:
	case r.Do == doRoles:
		final.Roles = c.s.roles()
	default:
		err = c.s.restart(ctx, r.Role, out.step)
		if err != nil && c.ctx.Err() != nil {
			err = errStopping
		}
	}
	alive()
	final.Error = toWire(err)
	return out.send(final)
}

// replier writes lines to a client. Safe for use by many goroutines.
type replier struct {
	mu   sync.Mutex
	conn net.Conn
}

func (o *replier) send(r controlReply) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	// A client that doesn't read must not hold the server up.
	if err := o.conn.SetWriteDeadline(time.Now().Add(silenceLimit)); err != nil {
		return err
	}
	_, err = o.conn.Write(append(line, '\n'))
	return err
}

// step is progress; a client that is gone is noticed elsewhere.
func (o *replier) step(s RestartStep) { _ = o.send(controlReply{Step: &s}) }

// keepAlive says again and again that the server is there, until the function that it returns is
// called.
func (o *replier) keepAlive() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(aliveEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = o.send(controlReply{})
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
