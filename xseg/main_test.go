package xseg_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

func TestMain(m *testing.M) {
	xsegtest.Main(m, map[string]xsegtest.Role{
		"one": oneRole, "stuck": stuckRole, "scribble": scribbleRole, "volumes": volumesRole,
	})
}

// oneRole: one PORT TO VOLUME submits a single request on a volume, and waits for its answer.
func oneRole(ctx context.Context, s *xseg.Segment, args []string, ready func()) error {
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(args[i])
	}
	l, err := s.NewLoop()
	if err != nil {
		return err
	}
	p, err := l.Bind(ctx, xseg.PortNo(n[0]), xseg.BindOptions{Role: "one"})
	if err != nil {
		return err
	}
	c, err := p.Connect(ctx, xseg.PortNo(n[1]), xseg.ChannelOptions{Slots: 8, BufferBytes: 1 << 20})
	if err != nil {
		return err
	}
	k := c.Get(4096)
	k.Op, k.Volume = 100, xseg.UUID{byte(n[2])}
	k.Submit()
	ready()
	return l.Run(ctx)
}

// stuckRole: stuck PORT receives requests and never answers; it says "got" for each.
func stuckRole(ctx context.Context, s *xseg.Segment, args []string, ready func()) error {
	no, _ := strconv.Atoi(args[0])
	l, err := s.NewLoop()
	if err != nil {
		return err
	}
	got := func(*xseg.Request) { fmt.Println("got") }
	if _, err := l.Bind(ctx, xseg.PortNo(no), xseg.BindOptions{Role: "stuck", Handler: got}); err != nil {
		return err
	}
	ready()
	return l.Run(ctx)
}
