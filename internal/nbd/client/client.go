package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"archipelago/internal/nbd"
)

// Errors of this package; a server's are nbd.Errno and *OptionError.
var (
	ErrClosed   = errors.New("NBD client is closed")
	ErrLost     = errors.New("NBD connection was lost")
	ErrProtocol = errors.New("NBD server breaks the protocol")
	ErrRange    = errors.New("range lies outside the export or is longer than a request may be")
)

// Options of a client. The zero value is a good one.
type Options struct {
	// Simple does without structured replies.
	Simple bool
	// Redial makes the client connect again when its connection ends, and send again what was not
	// answered; 0: calls fail with ErrLost instead. It is the pause between two tries.
	Redial time.Duration
}

// Client is a connection to an export. Safe for use by many goroutines.
type Client struct {
	network, address, export string

	opts   Options
	info   nbd.Export
	closed chan struct{}

	mu      sync.Mutex
	session *session
	err     error // why there will be no session any more
}

// Dial connects to an export, for example Dial(ctx, "unix", path, "vm1", Options{}).
func Dial(ctx context.Context, network, address, export string, opts Options) (*Client, error) {
	c := &Client{network: network, address: address, export: export, opts: opts, closed: make(chan struct{})}
	s, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	c.session, c.info = s, s.info
	return c, nil
}

// dial makes one session.
func (c *Client) dial(ctx context.Context) (*session, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, c.network, c.address)
	if err != nil {
		return nil, fmt.Errorf("NBD server %s: %w", c.address, err)
	}
	// Whatever the negotiation waits for ends with ctx.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	s, err := newSession(conn, c.export, c.opts)
	if !stop() {
		err = ctx.Err() // whatever the passed deadline looked like
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("NBD export %s at %s: %w", c.export, c.address, err), conn.Close())
	}
	go s.receive()
	return s, nil
}

// Export says what the server told of the export.
func (c *Client) Export() nbd.Export { return c.info }

// Size returns the size of the export in bytes.
func (c *Client) Size() int64 { return int64(c.info.Size) }

// ReadOnly says whether the server refuses changes.
func (c *Client) ReadOnly() bool { return c.info.Flags&nbd.FlagReadOnly != 0 }

// Close ends the session in order. Calls that are under way fail with ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil
	}
	c.err = ErrClosed
	close(c.closed)
	if c.session == nil {
		return nil
	}
	c.session.disconnect()
	<-c.session.ended
	return nil
}

// current returns the session to use, making a new one where that is wished.
func (c *Client) current(ctx context.Context) (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.err != nil {
			return nil, c.err
		}
		if !c.session.isLost() {
			return c.session, nil
		}
		if c.opts.Redial == 0 {
			return nil, c.session.cause()
		}
		if s, err := c.dial(ctx); err == nil {
			c.session = s
			continue
		}
		if err := c.pause(ctx); err != nil {
			return nil, err
		}
	}
}

// pause waits before the next try to connect: a server that restarts listens again soon, and there
// is nothing that would tell. c.mu is given back meanwhile.
func (c *Client) pause(ctx context.Context) error {
	c.mu.Unlock()
	defer c.mu.Lock()
	timer := time.NewTimer(c.opts.Redial)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// do runs one request to its end.
func (c *Client) do(ctx context.Context, call *call) error {
	for {
		s, err := c.current(ctx)
		if err != nil {
			return err
		}
		err = s.do(ctx, call)
		if !errors.Is(err, ErrLost) || c.opts.Redial == 0 {
			return err
		}
	}
}
