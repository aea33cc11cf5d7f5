package xsegtest

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"archipelago/xseg"
)

// Roles are the roles of child processes that this package brings along:
//
//	echo PORT          answers as Echo does
//	forward PORT TO    passes every request on to port TO, zero copy, and its answer back
//	load PORT TO DEPTH COUNT MAXDATA SEED
//	                   sends COUNT (0 = no end) checked requests of up to MAXDATA bytes to TO;
//	                   says "done" when all were right
var Roles = map[string]Role{"echo": echoRole, "forward": forwardRole, "load": loadRole}

// eventfdEnv makes a child's loop sleep on an eventfd.
const eventfdEnv = "XSEGTEST_EVENTFD"

// NewLoop makes the loop of a child, of the kind that its node wants.
func NewLoop(s *xseg.Segment) (*xseg.Loop, error) {
	return s.NewLoopWith(xseg.LoopOptions{Eventfd: os.Getenv(eventfdEnv) != ""})
}

func portArg(args []string, i int) (xseg.PortNo, error) {
	if i >= len(args) {
		return 0, fmt.Errorf("argument %d is missing", i)
	}
	n, err := strconv.Atoi(args[i])
	return xseg.PortNo(n), err
}

func echoRole(ctx context.Context, s *xseg.Segment, args []string, ready func()) error {
	no, err := portArg(args, 0)
	if err != nil {
		return err
	}
	l, err := NewLoop(s)
	if err != nil {
		return err
	}
	if _, err := l.Bind(ctx, no, xseg.BindOptions{Role: "echo", Handler: Echo}); err != nil {
		return err
	}
	ready()
	if err := l.Run(ctx); err != nil {
		return err
	}
	return l.Close()
}

func forwardRole(ctx context.Context, s *xseg.Segment, args []string, ready func()) error {
	no, err1 := portArg(args, 0)
	to, err2 := portArg(args, 1)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("forward wants two ports")
	}
	l, err := NewLoop(s)
	if err != nil {
		return err
	}
	f := &Forwarder{}
	p, err := l.Bind(ctx, no, xseg.BindOptions{Role: "forward", Handler: f.Serve})
	if err != nil {
		return err
	}
	c, err := p.Connect(ctx, to, xseg.ChannelOptions{Slots: 256, Wait: true})
	if err != nil {
		return err
	}
	f.Use(c)
	ready()
	if err := l.Run(ctx); err != nil {
		return err
	}
	return l.Close()
}
