package xseg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"archipelago/internal/cli"
	"archipelago/xseg"
)

// portPatience is how long one port may take to bind before the next one is tried.
const portPatience = 250 * time.Millisecond

// bindTool takes one of the ports of tools. One whose last holder has left a request behind that a
// hanging peer still works on can't be bound until that ends, and to find such a peer is what ping
// is for: so no port is waited for as long as there are others.
func bindTool(ctx context.Context, loop *xseg.Loop, from, to xseg.PortNo) (*xseg.Port, error) {
	var first error
	for no := from; no <= to; no++ {
		limited, cancel := context.WithTimeout(ctx, portPatience)
		port, err := loop.Bind(limited, no, xseg.BindOptions{Role: "xseg"})
		cancel()
		switch {
		case err == nil || ctx.Err() != nil:
			return port, err
		case !errors.Is(err, xseg.ErrBusy) && !errors.Is(err, context.DeadlineExceeded):
			return nil, err
		case first == nil:
			first = err
		}
	}
	return nil, fmt.Errorf("none of the ports %d to %d is free: %w", from, to, first)
}

// noAnswer is for a peer that is there and hangs, or is stopped.
func noAnswer(port xseg.PortNo, limit time.Duration) error {
	return &cli.CodeError{Code: cli.ExitTryAgain, Err: fmt.Errorf("port %d: %w within %v", port, errNoAnswer, limit)}
}

// measure sends the PINGs. The pinger that it returns is at rest; nil if not one could be sent.
func measure(ctx context.Context, s *xseg.Segment, from, to, target xseg.PortNo, opts *pingOptions) (*pinger, error) {
	loop, err := s.NewLoop()
	if err != nil {
		return nil, err
	}
	port, err := bindTool(ctx, loop, from, to)
	if err != nil {
		return nil, errors.Join(err, loop.Close())
	}
	limited, cancel := context.WithTimeout(ctx, opts.timeout)
	defer cancel()
	ch, err := port.Connect(limited, target, xseg.ChannelOptions{Slots: 1})
	if err != nil {
		if ctx.Err() == nil && limited.Err() != nil { // it is there, and doesn't react
			err = noAnswer(target, opts.timeout)
		}
		return nil, errors.Join(err, loop.Close())
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(running) }()
	p := newPinger(loop, ch, opts.count, opts.interval)
	p.start()
	err = p.wait(ctx, opts.timeout)
	stop()
	closeErr := errors.Join(<-ended, loop.Close())
	switch {
	case opts.count == 0 && ctx.Err() != nil:
		err = nil // no other end was meant
	case ctx.Err() != nil:
		err = fmt.Errorf("interrupted: %w", ctx.Err())
	case errors.Is(err, errNoAnswer):
		err = noAnswer(target, opts.timeout)
	}
	return p, errors.Join(err, closeErr)
}
