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

	server, err := n.Join(t).NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan struct{}, 8)
	keep := func(*xseg.Request) { received <- struct{}{} }
	if _, err := server.Bind(t.Context(), 10, xseg.BindOptions{Role: "server", Handler: keep}); err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ran <- server.Run(ctx) }()

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
	server.Abandon()
	if err := await(t, "the end of the loop", ran); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	successor := n.Peer(t)
	successor.Bind(10, xseg.BindOptions{Role: "server", Handler: func(r *xseg.Request) { r.RespondOnLoop(0, 0) }})
	successor.Run()
	if err := await(t, "the answer", answered); err != nil {
		t.Error(err)
	}
	k.Put()
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
