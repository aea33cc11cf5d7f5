package xseg_test

import (
	"context"
	"testing"
	"time"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// TestAbandon: a loop that holds requests which it never answers ends when it is abandoned, and a
// successor in the same process gets them; their submitter sees a pause.
func TestAbandon(t *testing.T) {
	n := xsegtest.New(t)
	client := n.Peer(t)
	from := client.Bind(11, xseg.BindOptions{Role: "client"})
	client.Run()

	received := make(chan struct{}, 8)
	server := doomed(t, n.Join(t), func(*xseg.Request) { received <- struct{}{} })
	ran, cancel := server.run(t)

	c := client.Connect(from, 10, xseg.ChannelOptions{Slots: 8, BufferBytes: 1 << 20})
	answered := make(chan error, 1)
	k := c.Get(4096)
	k.Op = xseg.OpPing
	go func() { answered <- k.Do(t.Context()) }()
	await(t, "the request", received)

	cancel()
	select {
	case err := <-ran:
		t.Fatalf("the loop left a request behind without being told to: %v", err)
	case <-time.After(20 * time.Millisecond): // shows only that it hasn't ended at once
	}
	server.abandon(t, ran)
	successor := n.Peer(t)
	successor.Bind(10, xseg.BindOptions{Role: "server", Handler: func(r *xseg.Request) { r.RespondOnLoop(0, 0) }})
	successor.Run()
	if err := await(t, "the answer", answered); err != nil {
		t.Error(err)
	}
	k.Put()
}

// TestAbandonedPassedOn: a successor waits for what an abandoned loop had passed on, also from
// another of its ports: somebody may still write to the buffer of the request.
func TestAbandonedPassedOn(t *testing.T) {
	n := xsegtest.New(t)
	client, below := n.Peer(t), n.Peer(t)
	from := client.Bind(11, xseg.BindOptions{Role: "client"})
	client.Run()
	passed := make(chan *xseg.Request, 1)
	below.Bind(12, xseg.BindOptions{Role: "below", Handler: func(r *xseg.Request) { passed <- r }})
	below.Run()

	var down *xseg.Channel
	server := doomed(t, n.Join(t), func(*xseg.Request) {
		k := down.Get(0)
		k.Op = xseg.OpPing
		k.SubmitOnLoop()
	})
	second, err := server.Bind(t.Context(), 13, xseg.BindOptions{Role: "server"})
	if err != nil {
		t.Fatal(err)
	}
	if down, err = second.Connect(t.Context(), 12, xseg.ChannelOptions{Slots: 8}); err != nil {
		t.Fatal(err)
	}
	ran, cancel := server.run(t)
	defer cancel()
	k := client.Connect(from, 10, xseg.ChannelOptions{Slots: 8}).Get(0)
	answered := make(chan error, 1)
	go func() { answered <- k.Do(t.Context()) }()
	held := await(t, "the request below", passed)
	server.abandon(t, ran)

	successor, bound := n.Peer(t), make(chan struct{})
	go func() {
		successor.Bind(10, xseg.BindOptions{Role: "server", Handler: func(r *xseg.Request) { r.RespondOnLoop(0, 0) }})
		close(bound)
	}()
	select {
	case <-bound:
		t.Error("the successor didn't wait")
	case <-time.After(50 * time.Millisecond): // shows only that it waits at first
	}
	held.Respond(0, 0)
	await(t, "the bind", bound)
	successor.Run()
	if err := await(t, "the answer", answered); err != nil {
		t.Error(err)
	}
	k.Put()
}

// doom is a loop at port 10 that is going to be abandoned.
type doom struct{ *xseg.Loop }

func doomed(t *testing.T, s *xseg.Segment, h xseg.Handler) doom {
	t.Helper()
	l, err := s.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Bind(t.Context(), 10, xseg.BindOptions{Role: "server", Handler: h}); err != nil {
		t.Fatal(err)
	}
	return doom{l}
}

func (d doom) run(t *testing.T) (ran chan error, cancel func()) {
	ran = make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ran <- d.Run(ctx) }()
	return ran, cancel
}

func (d doom) abandon(t *testing.T, ran chan error) {
	t.Helper()
	d.Abandon()
	if err := await(t, "the end of the loop", ran); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func await[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(xsegtest.Patience):
		t.Fatalf("waited for %s", what)
	}
	return v
}
