package main

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strconv"
	"time"

	"archipelago/xseg"
)

// segment is one of its own for a measurement, and the children that meet in it.
type segment struct {
	name     string
	dir      string
	children []*process
}

func newSegment(ports, sizeMiB int) (*segment, error) {
	dir, err := os.MkdirTemp("", "archip-test-") // the name under which leftovers are reaped
	if err != nil {
		return nil, err
	}
	s := &segment{name: "archip-test-" + rand.Text()[:12], dir: dir}
	spec := xseg.Spec{Name: s.name, Ports: ports, SizeMiB: sizeMiB, PageShift: 12}
	if err := xseg.Create(spec, xseg.CreateOptions{RuntimeDir: dir, Group: -1}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// start starts a child in the segment.
func (s *segment) start(ctx context.Context, role string, numbers ...int) (*process, error) {
	p, err := start(ctx, role, s.name, numbers...)
	if err == nil {
		s.children = append(s.children, p)
	}
	return p, err
}

// close ends the children, clients before their servers, and removes the segment.
func (s *segment) close() error {
	for i := len(s.children) - 1; i >= 0; i-- {
		s.children[i].end()
	}
	return errors.Join(xseg.Destroy(s.name, true), os.RemoveAll(s.dir))
}

// Ports of a chain: its last server has the first, each before it the next.
const (
	firstServer = 10
	clientPort  = 100
)

// chain is a client and the servers that its requests go through.
type chain struct {
	*segment
	client  *process
	servers []*process
}

func newChain(ctx context.Context, hops, depth int) (*chain, error) {
	s, err := newSegment(256, 64)
	if err != nil {
		return nil, err
	}
	c := &chain{segment: s}
	if err := c.fill(ctx, hops, depth); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return c, nil
}

func (c *chain) fill(ctx context.Context, hops, depth int) error {
	last, err := c.start(ctx, "echo", firstServer)
	for i := 1; err == nil && i < hops; i++ {
		c.servers = append(c.servers, last)
		last, err = c.start(ctx, "forward", firstServer+i, firstServer+i-1)
	}
	if err != nil {
		return err
	}
	c.servers = append(c.servers, last)
	c.client, err = c.start(ctx, "client", clientPort, firstServer+hops-1, depth)
	return err
}

// rate is how many round trips there were, and what they took.
type rate struct {
	answers   int64
	perSecond float64
	cpu       float64 // nanoseconds of processor time of all processes, per answer
	ofClient  int64   // objects allocated by it
	ofServers int64
}

func (c *chain) measure(d time.Duration) (r rate, err error) {
	before, err := c.spent()
	if err != nil {
		return r, err
	}
	n, err := c.client.askNumbers(strconv.FormatInt(d.Milliseconds(), 10), 2)
	if err != nil {
		return r, err
	}
	after, err := c.spent()
	if err != nil {
		return r, err
	}
	return rate{
		answers: n[0], perSecond: float64(n[0]) / (float64(max(n[1], 1)) / 1e9),
		cpu:      float64(after.cpu-before.cpu) / float64(max(n[0], 1)), // none: a machine that is very busy
		ofClient: after.ofClient - before.ofClient, ofServers: after.ofServers - before.ofServers,
	}, nil
}

// total is what the processes of a chain have used since they began.
type total struct{ ofClient, ofServers, cpu int64 }

func (c *chain) spent() (t total, err error) {
	n, err := c.client.askNumbers("spent", 2)
	if err != nil {
		return t, err
	}
	t.ofClient, t.cpu = n[0], n[1]
	for _, p := range c.servers {
		if n, err = p.askNumbers("spent", 2); err != nil {
			return t, err
		}
		t.ofServers += n[0]
		t.cpu += n[1]
	}
	return t, nil
}
