package xsegtest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"archipelago/xseg"
)

// Implementation is what the suite tests: how to start a process in one of the Roles. Another
// implementation of the layout passes the suite if its programs behave as Roles says.
type Implementation struct {
	Start func(t testing.TB, n *Node, role string, args []string, env ...string) *Child
	// Steps: whether KillAt works on its processes.
	Steps bool
	// Eventfd: all peers sleep on eventfds.
	Eventfd bool
}

// Go is the implementation of package xseg itself.
func Go() Implementation {
	return Implementation{Steps: true, Start: func(t testing.TB, n *Node, role string, args []string, env ...string) *Child {
		return n.Child(t, role, args, env...)
	}}
}

// Conformance runs the suite: load through one and two hops, servers and clients killed under
// load, at random and at every named step, and what is left afterwards.
func Conformance(t *testing.T, impl Implementation) {
	s := suite{impl}
	t.Run("one hop", func(t *testing.T) { s.hops(t, 1) })
	t.Run("two hops", func(t *testing.T) { s.hops(t, 2) })
	t.Run("many clients", s.manyClients)
	t.Run("server killed", s.serverKilled)
	t.Run("middle killed", s.middleKilled)
	t.Run("all servers killed", s.allServersKilled)
	t.Run("client killed", s.clientKilled)
	if impl.Steps {
		for _, at := range ServerSteps {
			t.Run("server dies at "+at, func(t *testing.T) { t.Parallel(); s.serverDiesAt(t, at) })
		}
		for _, at := range SubmitterSteps {
			t.Run("client dies at "+at, func(t *testing.T) { t.Parallel(); s.clientDiesAt(t, at) })
		}
	}
}

type suite struct{ impl Implementation }

// node makes the segment of one test.
func (s suite) node(t testing.TB) *Node {
	n := New(t)
	n.Eventfd = s.impl.Eventfd
	return n
}

const (
	echoPort    = 10
	forwardPort = 11
	clientPort  = 100
)

func (s suite) echo(t testing.TB, n *Node, env ...string) *Child {
	return s.impl.Start(t, n, "echo", []string{fmt.Sprint(echoPort)}, env...)
}

func (s suite) forward(t testing.TB, n *Node) *Child {
	return s.impl.Start(t, n, "forward", []string{fmt.Sprint(forwardPort), fmt.Sprint(echoPort)})
}

// client starts a load of our own, in this process.
func client(t testing.TB, n *Node, to xseg.PortNo, count int64) (*Peer, *Load) {
	p := n.Peer(t)
	c := p.Connect(p.Bind(clientPort, xseg.BindOptions{Role: "client"}), to,
		xseg.ChannelOptions{Slots: 32, BufferBytes: 4 << 20, Wait: true})
	l := &Load{Channel: c, Depth: 24, Count: count, MaxData: 50_000, Volume: xseg.UUID{1}}
	p.Run()
	l.Start(p, Seed(t))
	return p, l
}

// finish waits for the load, and then for the segment to be as empty as it was.
func finish(t testing.TB, n *Node, p *Peer, l *Load) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if _, err := l.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	p.Stop()
}

func (s suite) hops(t *testing.T, hops int) {
	n := s.node(t)
	s.echo(t, n).Ready()
	if hops == 2 {
		s.forward(t, n).Ready()
	}
	p, l := client(t, n, xseg.PortNo(echoPort+hops-1), 5000)
	finish(t, n, p, l)
	n.Empty(t, hops-1)
}

func (s suite) manyClients(t *testing.T) {
	n := s.node(t)
	s.echo(t, n).Ready()
	var all []*Child
	for i := range 5 {
		all = append(all, s.impl.Start(t, n, "load", []string{fmt.Sprint(clientPort + i),
			fmt.Sprint(echoPort), "8", "2000", "30000", fmt.Sprint(Seed(t) + uint64(i))}))
	}
	for _, c := range all {
		if !c.Ready() || c.Line() != "done" {
			t.Error("a client failed")
		}
		c.Wait()
	}
	n.Empty(t, 0)
}

// serverKilled: a kill at any moment is a pause for the client.
func (s suite) serverKilled(t *testing.T) {
	n := s.node(t)
	srv := s.echo(t, n)
	srv.Ready()
	p, l := client(t, n, echoPort, 0)
	for range 10 {
		p.progress(l, 500)
		srv.Kill()
		srv = s.echo(t, n)
		srv.Ready()
	}
	p.progress(l, 500)
	p.Loop.Post(l.Stop)
	finish(t, n, p, l)
	n.Empty(t, 0)
}

func (s suite) middleKilled(t *testing.T) {
	n := s.node(t)
	s.echo(t, n).Ready()
	mid := s.forward(t, n)
	mid.Ready()
	p, l := client(t, n, forwardPort, 0)
	for range 5 {
		p.progress(l, 300)
		mid.Kill()
		mid = s.forward(t, n)
		mid.Ready()
	}
	p.Loop.Post(l.Stop)
	finish(t, n, p, l)
	n.Empty(t, 1)
}

// allServersKilled: those that died together must not wait for each other, whoever comes first.
func (s suite) allServersKilled(t *testing.T) {
	for _, forwardFirst := range []bool{true, false} {
		n := s.node(t)
		last, mid := s.echo(t, n), s.forward(t, n)
		last.Ready()
		mid.Ready()
		p, l := client(t, n, forwardPort, 0)
		p.progress(l, 300)
		last.Kill()
		mid.Kill()
		if forwardFirst {
			mid = s.forward(t, n)
			n.WaitBound(t, forwardPort)
			s.echo(t, n).Ready()
		} else {
			s.echo(t, n).Ready()
			mid = s.forward(t, n)
		}
		mid.Ready()
		p.progress(l, 300)
		p.Loop.Post(l.Stop)
		finish(t, n, p, l)
		n.Empty(t, 1)
	}
}

func (s suite) load(t testing.TB, n *Node, env ...string) *Child {
	return s.impl.Start(t, n, "load", []string{fmt.Sprint(clientPort + 1), fmt.Sprint(echoPort),
		"16", "0", "50000", fmt.Sprint(Seed(t))}, env...)
}

// clientKilled: the server goes on with others, and what the dead one held comes back.
func (s suite) clientKilled(t *testing.T) {
	n := s.node(t)
	s.echo(t, n).Ready()
	p, l := client(t, n, echoPort, 0)
	for range 5 {
		c := s.load(t, n)
		c.Ready()
		p.progress(l, 200)
		c.Kill()
	}
	p.progress(l, 200)
	n.Empty(t, 1)
	p.Loop.Post(l.Stop)
	finish(t, n, p, l)
	n.Empty(t, 0)
}

func (s suite) serverDiesAt(t *testing.T, at string) {
	for _, count := range []int{1, 3, 200} {
		n := s.node(t)
		first := s.echo(t, n, KillAt(at, count))
		up := first.Ready()
		p, l := n.lateClient(t, up)
		if !first.diesSoon() {
			first.Kill()
		}
		s.echo(t, n).Ready()
		p.progress(l, 200)
		p.Loop.Post(l.Stop)
		finish(t, n, p, l)
		n.Empty(t, 0)
	}
}

// lateClient starts a client that waits for a server, if there is none yet.
func (n *Node) lateClient(t testing.TB, up bool) (*Peer, *Load) {
	p := n.Peer(t)
	port := p.Bind(clientPort, xseg.BindOptions{Role: "client"})
	l := &Load{Depth: 24, MaxData: 20_000, Volume: xseg.UUID{1}}
	p.Run()
	seed, started := Seed(t), make(chan struct{})
	go func() {
		defer close(started)
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		c, err := port.Connect(ctx, echoPort, xseg.ChannelOptions{Slots: 32, BufferBytes: 4 << 20, Wait: true})
		if err != nil {
			t.Error(err)
			return
		}
		l.Channel = c
		l.StartOn(p.Loop, seed)
	}()
	p.started = started
	return p, l
}

func (s suite) clientDiesAt(t *testing.T, at string) {
	for _, count := range []int{1, 3, 200} {
		n := s.node(t)
		s.echo(t, n).Ready()
		p, l := client(t, n, echoPort, 0)
		c := s.load(t, n, KillAt(at, count))
		c.Ready()
		if !c.diesSoon() {
			c.Kill()
		}
		p.progress(l, 200)
		n.controlStep(t) // what was left half done is undone by the next step
		n.Empty(t, 1)
		p.Loop.Post(l.Stop)
		finish(t, n, p, l)
		n.Empty(t, 0)
	}
}

// diesSoon waits a moment for a child that was told to die at a step. It may never come to it.
func (c *Child) diesSoon() bool {
	dead := make(chan struct{})
	go func() { c.Wait(); close(dead) }()
	select {
	case <-dead:
		return true
	case <-time.After(100 * time.Millisecond):
		return false
	}
}

// Seed returns the seed of a test: XSEGTEST_SEED, or a new one, which is logged.
func Seed(t testing.TB) uint64 {
	var seed uint64
	if _, err := fmt.Sscan(os.Getenv("XSEGTEST_SEED"), &seed); err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("XSEGTEST_SEED=%d", seed)
	return seed
}
