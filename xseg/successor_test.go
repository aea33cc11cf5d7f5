package xseg_test

import (
	"testing"
	"time"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// TestSuccessorWaits: while something that a dead peer had passed on still runs, with buffers that
// it was given, its successor serves nobody: else those who get their requests answered by the
// successor would use the buffers again under the hands of whoever still works on them.
func TestSuccessorWaits(t *testing.T) {
	n := xsegtest.New(t)
	h := newHeld(t, n, 10)
	h.Run()
	args := []string{"11", "10"}
	first := n.Child(t, "forward", args)
	first.Ready()
	_, c := newClient(t, n, 20, 11, small)
	k := c.Get(4096)
	k.Op = 7
	done := make(chan *xseg.Call, 1)
	k.Done = func(k *xseg.Call) { done <- k }
	k.Submit()
	old := h.next(t)

	first.Kill()
	second := n.Child(t, "forward", args)
	n.WaitBound(t, 11)
	select {
	case r := <-h.got:
		t.Fatalf("request %d was passed on again while its first life goes on", r.Op())
	case <-time.After(150 * time.Millisecond): // what must not happen would happen within a few
	}
	old.Respond(0, 1)
	if !second.Ready() {
		t.Fatal("the successor failed")
	}
	h.next(t).Respond(0, 2)
	if k := <-done; k.Errno() != 0 || k.Serviced() != 2 {
		t.Fatal("the answer is not the successor's:", k.Errno(), k.Serviced())
	}
	n.Empty(t, 2)
}

// TestOrderlyHandOver: a server that ends in order answers what it has, and its successor goes on.
func TestOrderlyHandOver(t *testing.T) {
	n := xsegtest.New(t)
	a := n.Peer(t)
	a.Bind(10, xseg.BindOptions{Role: "echo", Handler: xsegtest.Echo})
	a.Run()
	p, c := newClient(t, n, 20, 10, xseg.ChannelOptions{Slots: 32, BufferBytes: 4 << 20})
	load := &xsegtest.Load{Channel: c, Depth: 16, Count: 20000, MaxData: 3000}
	load.Start(p, xsegtest.Seed(t))
	for range 5 {
		b := n.Peer(t)
		a.Stop()
		b.Bind(10, xseg.BindOptions{Role: "echo", Handler: xsegtest.Echo})
		b.Run()
		a = b
	}
	if _, err := load.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	n.Empty(t, 0)
}
