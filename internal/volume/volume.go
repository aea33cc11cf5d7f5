// Package volume is the client of a node: it joins the segment, and reads, writes and manages
// volumes through vlmcd and mapperd. Tools and endpoints use it; it knows no map and no storage. The
// one exception is Check, which looks at the whole store through the blockers' ports.
//
// Two ways to do I/O: the blocking methods of Volume (ReadAt, WriteAt, …) copy and may be called
// from many goroutines; Prepare gives endpoints a request with its buffer inside the segment, so
// that nothing is copied or allocated on the way.
//
// Lock order: linksMu before a link's own mu. freeMu is a leaf.
package volume

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"archipelago/internal/config"
	"archipelago/xseg"
)

// Options are what Dial needs besides the configuration.
type Options struct {
	Role        string      // shown in the port table; "" = "tool"
	PortStart   xseg.PortNo // 0 = the configured range for tools
	PortEnd     xseg.PortNo
	Slots       int   // per channel; 0 = 64
	BufferBytes int64 // of each channel's buffer area; 0 = 16 MiB
	// RecoverySeconds: how long a request waits for the successor of a dead peer before it fails
	// with xseg.ErrNotRunning; 0 = for ever.
	RecoverySeconds int
	// Handler serves requests to the client's own port; nil: it takes none.
	Handler xseg.Handler
}

const (
	defaultSlots       = 64
	defaultBufferBytes = 16 << 20
)

// Client is a connection to a running node. Safe for use by many goroutines.
type Client struct {
	opts   Options
	port   *xseg.Port
	mapper xseg.PortNo
	vlmcd  portRange

	blockers blockerPorts
	term     func() uint64 // the lease term of the node; 0 for Attach

	// leave ends what Dial has begun; a no-op for Attach.
	leave func() error
	close sync.Once
	ended chan struct{} // closed by Close

	linksMu sync.Mutex
	links   map[xseg.PortNo]*link

	freeMu sync.Mutex
	free   []*IO // recycled, so that steady I/O allocates nothing
}

// portRange is the ports of a role with a thread per port.
type portRange struct{ first, last xseg.PortNo }

func (r portRange) has(p xseg.PortNo) bool { return p >= r.first && p <= r.last }

// Dial joins the node. xseg.ErrNotRunning or xseg.ErrNoSegment if it isn't there.
func Dial(ctx context.Context, cfg *config.Config, opts Options) (*Client, error) {
	seg, err := xseg.Join(cfg.SegmentName)
	if err != nil {
		return nil, fmt.Errorf("join the node: %w", err)
	}
	loop, err := seg.NewLoop()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("join the node: %w", err), seg.Leave())
	}
	c, err := Attach(ctx, cfg, loop, opts)
	if err != nil {
		return nil, errors.Join(err, loop.Close(), seg.Leave())
	}
	c.leave = serve(seg, loop)
	c.term = func() uint64 {
		_, term := seg.Lease()
		return term
	}
	return c, nil
}

// serve runs a loop on a goroutine of its own. The function that it returns ends that, and leaves the
// segment.
func serve(seg *xseg.Segment, loop *xseg.Loop) (leave func() error) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- loop.Run(ctx) }()
	return func() error {
		stop()
		return errors.Join(<-done, loop.Close(), seg.Leave())
	}
}

// Attach makes a client whose completions are served by a loop of the caller's: for peers that
// have a loop. The caller runs the loop, and closes it after the client.
func Attach(ctx context.Context, cfg *config.Config, loop *xseg.Loop, opts Options) (*Client, error) {
	c, err := newClient(cfg, opts)
	if err == nil {
		err = c.bind(ctx, loop)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// newClient works out from the configuration whom to talk to.
func newClient(cfg *config.Config, opts Options) (*Client, error) {
	vlmcd, mapperd := cfg.ByType(config.TypeVlmcd), cfg.ByType(config.TypeMapper)
	if vlmcd == nil || mapperd == nil {
		return nil, fmt.Errorf("the configuration has no %s or no %s: %w",
			config.TypeVlmcd, config.TypeMapper, xseg.ErrNotRunning)
	}
	if opts.Role == "" {
		opts.Role = "tool"
	}
	if opts.PortStart == 0 {
		opts.PortStart, opts.PortEnd = xseg.PortNo(cfg.VtoolStart), xseg.PortNo(cfg.VtoolEnd)
	}
	opts.PortEnd = max(opts.PortEnd, opts.PortStart)
	if opts.Slots == 0 {
		opts.Slots = defaultSlots
	}
	if opts.BufferBytes == 0 {
		opts.BufferBytes = defaultBufferBytes
	}
	return &Client{
		opts:   opts,
		mapper: xseg.PortNo(mapperd.PortStart),
		vlmcd:  portRange{xseg.PortNo(vlmcd.PortStart), xseg.PortNo(max(vlmcd.PortStart, vlmcd.PortEnd))},
		blockers: blockerPorts{
			maps: xseg.PortNo(mapperd.BlockermPort), blocks: xseg.PortNo(mapperd.BlockerbPort),
		},
		leave: func() error { return nil },
		term:  func() uint64 { return 0 },
		ended: make(chan struct{}),
		links: make(map[xseg.PortNo]*link),
	}, nil
}

// bind takes a port. A single port is that of a role: a dead predecessor is waited for. A range is
// shared by tools: the first free one will do.
func (c *Client) bind(ctx context.Context, loop *xseg.Loop) (err error) {
	from, to, opts := c.opts.PortStart, c.opts.PortEnd, xseg.BindOptions{Role: c.opts.Role, Handler: c.opts.Handler}
	if from == to {
		c.port, err = loop.Bind(ctx, from, opts)
	} else {
		c.port, err = loop.BindAny(ctx, from, to, opts)
	}
	if err != nil {
		return fmt.Errorf("bind port %d-%d as %s: %w", from, to, opts.Role, err)
	}
	return nil
}

// Close leaves the node. Volumes stay open on it. Calls that are running fail with xseg.ErrClosed.
// Precondition: no prepared IO is in use.
func (c *Client) Close() error {
	var err error
	c.close.Do(func() {
		close(c.ended)
		err = c.leave()
	})
	return err
}
