package xsegtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"archipelago/xseg"
)

// Node is a segment of its own, with a short runtime directory. Both go with the test.
type Node struct {
	Name       string
	RuntimeDir string
	// Eventfd makes the loops of all peers sleep on eventfds.
	Eventfd bool
}

// Size of the segment that New makes: sparse, so only what is used costs memory.
const (
	Ports   = 2048
	SizeMiB = 1024
)

// New makes a segment of the usual size.
func New(t testing.TB) *Node {
	t.Helper()
	return NewSized(t, Ports, SizeMiB)
}

// NewSized makes a segment of another size.
func NewSized(t testing.TB, ports, sizeMiB int) *Node {
	t.Helper()
	// Not t.TempDir: a socket's path must fit 107 bytes.
	dir, err := os.MkdirTemp(os.TempDir(), "xs")
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{Name: "xsegtest-" + rand.Text()[:12], RuntimeDir: dir}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	spec := xseg.Spec{Name: n.Name, Ports: ports, SizeMiB: sizeMiB, PageShift: 12}
	if err := xseg.Create(spec, xseg.CreateOptions{RuntimeDir: dir, Group: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := xseg.Destroy(n.Name, true); err != nil {
			t.Error(err)
		}
	})
	return n
}

// Join joins the node's segment until the test ends.
func (n *Node) Join(t testing.TB) *xseg.Segment {
	t.Helper()
	s, err := xseg.Join(n.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Leave() })
	return s
}

// Peer is a peer in this process: a join and a loop of its own.
type Peer struct {
	Segment *xseg.Segment
	Loop    *xseg.Loop

	t       testing.TB
	cancel  context.CancelFunc
	done    chan error
	started <-chan struct{} // a client that connects in the background has begun
	once    sync.Once
}

// Peer makes a peer; bind and connect, then Run it. It is stopped when the test ends.
func (n *Node) Peer(t testing.TB) *Peer {
	t.Helper()
	s, err := xseg.Join(n.Name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.NewLoopWith(xseg.LoopOptions{Eventfd: n.Eventfd})
	if err != nil {
		t.Fatal(err)
	}
	p := &Peer{Segment: s, Loop: l, t: t}
	t.Cleanup(p.Stop)
	return p
}

// Bind binds a port of the peer.
func (p *Peer) Bind(no xseg.PortNo, opts xseg.BindOptions) *xseg.Port {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	port, err := p.Loop.Bind(ctx, no, opts)
	if err != nil {
		p.t.Fatal(err)
	}
	return port
}

// Connect connects a channel from a port of this peer.
func (p *Peer) Connect(from *xseg.Port, to xseg.PortNo, opts xseg.ChannelOptions) *xseg.Channel {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	c, err := from.Connect(ctx, to, opts)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// Patience bounds what a test waits for; far beyond what anything should take.
const Patience = 20 * time.Second

// Run starts the loop on a goroutine of its own.
func (p *Peer) Run() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.done = cancel, make(chan error, 1)
	go func() { p.done <- p.Loop.Run(ctx) }()
}

// Stop ends the loop in order and leaves the segment; a second call does nothing.
func (p *Peer) Stop() {
	p.once.Do(func() {
		if p.cancel != nil {
			p.cancel()
			select {
			case err := <-p.done:
				p.check("run", err)
			case <-time.After(Patience):
				p.t.Error("loop didn't end: a request that was received is not answered")
				return
			}
		}
		p.check("close", p.Loop.Close())
		p.check("leave", p.Segment.Leave())
	})
}

func (p *Peer) check(what string, err error) {
	if err != nil {
		p.t.Error(fmt.Errorf("%s: %w", what, err))
	}
}
