package xseg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/step"
)

// Connect makes a channel. ErrNotRunning if nobody serves dst (and Wait isn't set). Blocks.
func (p *Port) Connect(ctx context.Context, dst PortNo, opts ChannelOptions) (*Channel, error) {
	c, err := p.connect(ctx, dst, opts)
	if err != nil {
		return nil, fmt.Errorf("connect port %d to port %d: %w", p.no, dst, err)
	}
	return c, nil
}

func (p *Port) connect(ctx context.Context, dst PortNo, opts ChannelOptions) (*Channel, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if uint32(dst) >= p.loop.seg.t.nrPorts {
		return nil, fmt.Errorf("the segment has %d ports: %w", p.loop.seg.t.nrPorts, ErrLimit)
	}
	opts.BufferBytes = int64(pageUp(uint64(opts.BufferBytes)))
	c := &Channel{port: p, loop: p.loop, dst: dst, opts: opts}
	if err := c.create(ctx); err != nil {
		return nil, err
	}
	conn, err := c.firstDial(ctx)
	if err != nil {
		err = errors.Join(err, c.close())
		c.rehang(nil)
		return nil, err
	}
	c.attach(conn)
	p.mu.Lock()
	p.channels[c] = struct{}{}
	p.mu.Unlock()
	p.loop.Post(func() { p.loop.own = append(p.loop.own, c) })
	p.loop.wg.Go(func() { c.supervise(conn) })
	return c, nil
}

// create takes table entry and extent. If memory is short, what dead peers left is collected
// first.
func (c *Channel) create(ctx context.Context) error {
	s, p := c.loop.seg, c.port
	return s.control(ctx, abi.StepConnect, uint64(c.dst), func() error {
		s.collect()
		at, err := s.newChannel(p.no, p.incarnation, c.dst, uint32(c.opts.Slots), uint64(c.opts.BufferBytes))
		if err == nil {
			c.init(at)
		}
		return err
	})
}

// firstDial connects to a server that is there, or waits for one.
func (c *Channel) firstDial(ctx context.Context) (*net.UnixConn, error) {
	begun := time.Now()
	for {
		conn, err := c.dial(ctx, func() error { return nil })
		if err == nil {
			return conn, nil
		}
		if errors.Is(err, errNoEventfd) || errors.Is(err, syscall.EOPNOTSUPP) {
			return nil, err
		}
		if !c.opts.Wait && !c.serverThere() {
			return nil, fmt.Errorf("%w (%w)", ErrNotRunning, err)
		}
		if err := sleep(ctx, retryPause(time.Since(begun))); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotRunning, err)
		}
	}
}

// serverThere tells whether somebody holds the port and serves, or is about to.
func (c *Channel) serverThere() bool {
	s := c.loop.seg
	return s.portAlive(uint32(c.dst), s.ports[c.dst].Incarnation.Load())
}

// retryPause is the time between two looks for a server. There is no word to wait on that a
// server which isn't there could wake: so it is short as long as a restart takes, and runs only
// while a server is missing.
func retryPause(since time.Duration) time.Duration {
	switch {
	case since < 500*time.Millisecond:
		return time.Millisecond
	case since < 5*time.Second:
		return 10 * time.Millisecond
	}
	return 50 * time.Millisecond
}

// dial does the submitter's half of the handshake. prepare runs when the server has said that
// nothing of the channel runs any more, and before it serves.
func (c *Channel) dial(ctx context.Context, prepare func() error) (*net.UnixConn, error) {
	d := net.Dialer{Timeout: handshakeTime}
	nc, err := d.DialContext(ctx, "unixpacket", c.loop.seg.socketPath(c.dst))
	if err != nil {
		return nil, err
	}
	conn := nc.(*net.UnixConn)
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if err := c.shake(ctx, conn, prepare); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (c *Channel) shake(ctx context.Context, conn *net.UnixConn, prepare func() error) error {
	hello := message{kind: msgHello, channel: uint32(c.id), src: uint32(c.port.no),
		srcInc: c.port.incarnation, bell: c.loop.bell}
	if err := send(conn, hello); err != nil {
		return err
	}
	ready, err := receive(conn, msgReady)
	if err != nil {
		return err
	}
	serial, err := c.renew(ctx, ready.dstInc, ready.bell)
	if err != nil {
		ready.bell.shut()
		return err
	}
	c.rehang(ready.bell)
	if err := prepare(); err != nil {
		return err
	}
	if err := send(conn, message{kind: msgGo, serial: serial, dstInc: ready.dstInc}); err != nil {
		return err
	}
	_, err = receive(conn, msgLive)
	return err
}

// renew gives the channel a serial for its life under the server dstInc, which must be the one
// that holds the port now.
func (c *Channel) renew(ctx context.Context, dstInc uint64, b *bell) (serial uint64, err error) {
	s := c.loop.seg
	err = s.control(ctx, abi.StepReconnect, uint64(c.id), func() error {
		if c.entry.State.Load() != abi.ChannelLive || c.entry.SrcIncarnation.Load() != c.port.incarnation {
			return fmt.Errorf("channel %d isn't ours any more: %w", c.id, ErrCorrupt)
		}
		if !s.portAlive(uint32(c.dst), dstInc) {
			return fmt.Errorf("port %d changed hands: %w", c.dst, ErrNotRunning)
		}
		waiter := s.ports[c.dst].Waiter.Load()
		if err := s.fits(waiter, b); err != nil {
			return fmt.Errorf("port %d: %w", c.dst, err)
		}
		c.waiter.Store(waiter)
		serial = s.hdr.NextSerial.Add(1)
		c.entry.Serial.Store(serial)
		c.entry.DstIncarnation.Store(0)
		return nil
	})
	step.At(step.RenewSerial)
	return serial, err
}

// rehang takes over the eventfd of the server that the channel leads to now; nil if it has none.
// One goroutine at a time dials, or closes.
func (c *Channel) rehang(b *bell) {
	c.loop.seg.unhang(c.bellOf, c.bell)
	c.bell, c.bellOf = b, c.waiter.Load()
	c.loop.seg.hang(c.bellOf, b)
}

func (c *Channel) attach(conn *net.UnixConn) {
	c.mu.Lock()
	c.conn = conn
	c.mu.Unlock()
	c.connected.Store(true)
	if c.ctx.Err() != nil { // closed meanwhile: nobody else would
		_ = conn.Close()
	}
}
