package xseg_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// TestCloseWhileInUse: goroutines that are amid calls when their loop is closed get ErrClosed, and
// don't touch the extent any more, which belongs to somebody else at once.
func TestCloseWhileInUse(t *testing.T) {
	n := xsegtest.New(t)
	server := n.Peer(t)
	server.Bind(10, xseg.BindOptions{Role: "echo", Handler: xsegtest.Echo})
	server.Run()
	for round := range 20 {
		closeInUse(t, n, xseg.PortNo(100+round))
	}
	n.Empty(t, 0)
}

func closeInUse(t *testing.T, n *xsegtest.Node, no xseg.PortNo) {
	s, err := xseg.Join(n.Name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Bind(t.Context(), no, xseg.BindOptions{Role: "client"})
	if err != nil {
		t.Fatal(err)
	}
	opts := xseg.ChannelOptions{Slots: 8, BufferBytes: 1 << 20, Wait: true}
	c, err := p.Connect(t.Context(), 10, opts)
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(running) }()

	var users sync.WaitGroup
	for range 12 {
		users.Go(func() { useUntilClosed(t, c) })
	}
	time.Sleep(time.Millisecond) // not for anything to happen: the moment of the end is what varies
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	next := n.Peer(t)
	load := &xsegtest.Load{Channel: next.Connect(next.Bind(200+no, xseg.BindOptions{Role: "next"}), 10, opts),
		Depth: 8, Count: 100, MaxData: 4096}
	load.Start(next, uint64(no))
	next.Run()
	if _, err := load.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	users.Wait()
	next.Stop()
	if err := s.Leave(); err != nil {
		t.Error(err)
	}
}

func useUntilClosed(t *testing.T, c *xseg.Channel) {
	for i := 0; ; i++ {
		k, err := c.GetWait(context.Background(), i%2*4096)
		if err == nil {
			k.Op = xseg.OpPing
			k.SetTarget("something that goes into the slot")
			if err = k.Do(context.Background()); err == nil {
				k.Put()
				continue
			}
		}
		if !errors.Is(err, xseg.ErrClosed) {
			t.Error(err)
		}
		return
	}
}

// TestLoopGivesSlotsBack: slots that the loop keeps for itself are no loss to others.
func TestLoopGivesSlotsBack(t *testing.T) {
	n := xsegtest.New(t)
	p := n.Peer(t)
	p.Bind(10, xseg.BindOptions{Role: "echo", Handler: xsegtest.Echo})
	c := p.Connect(p.Bind(100, xseg.BindOptions{Role: "client"}), 10, xseg.ChannelOptions{Slots: 16})
	p.Run()
	stocked := make(chan struct{})
	p.Loop.Post(func() {
		k := c.GetOnLoop(0)
		k.PutOnLoop()
		close(stocked)
	})
	<-stocked
	ctx, cancel := context.WithTimeout(t.Context(), xsegtest.Patience)
	defer cancel()
	var all []*xseg.Call
	for range 16 {
		k, err := c.GetWait(ctx, 0)
		if err != nil {
			t.Fatalf("after %d of 16: %v", len(all), err)
		}
		all = append(all, k)
	}
	if c.Get(0) != nil {
		t.Error("a seventeenth call of sixteen")
	}
	for _, k := range all {
		k.Put()
	}
}

// TestNothingReachesTheSlotBeforeSubmit: a call is private memory until then, and filled in from
// there each time that it is pushed, whatever a dead server has written over its slot.
func TestNothingReachesTheSlotBeforeSubmit(t *testing.T) {
	n := xsegtest.New(t)
	p := n.Peer(t)
	p.Bind(10, xseg.BindOptions{Role: "echo", Handler: xsegtest.Echo})
	c := p.Connect(p.Bind(100, xseg.BindOptions{Role: "client"}), 10, xseg.ChannelOptions{Slots: 1})
	p.Run()
	k := c.Get(0)
	before := bytes.Clone(c.Extent())
	k.SetTarget("name")
	k.SetPayloadLen(copy(k.Payload(), "arguments"))
	if !bytes.Equal(before, c.Extent()) {
		t.Error("the extent has changed")
	}
	if err := k.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := string(k.Payload()[:k.PayloadLen()]); got != "argumentsname" {
		t.Errorf("the server has got %q", got)
	}
	k.Put()
}

// TestSlotsGrow: a channel has memory for few slots at first, and for all of them when they are used.
func TestSlotsGrow(t *testing.T) {
	n := xsegtest.New(t)
	p := n.Peer(t)
	p.Bind(10, xseg.BindOptions{Role: "echo", Handler: xsegtest.Echo})
	const slots = 512
	c := p.Connect(p.Bind(100, xseg.BindOptions{Role: "client"}), 10, xseg.ChannelOptions{Slots: slots})
	before := p.Segment.Channels()[0]
	p.Run()
	var all sync.WaitGroup
	for i := range slots {
		k := c.Get(0)
		if k == nil {
			t.Fatalf("no slot %d of %d", i, slots)
		}
		k.Op = xseg.OpPing
		all.Add(1)
		k.Done = func(k *xseg.Call) {
			if k.Errno() != 0 {
				t.Error(k.Errno())
			}
			all.Done()
		}
		k.Submit()
		defer func() { k.Put() }()
	}
	all.Wait()
	after := p.Segment.Channels()[0]
	if before.SlotsBacked >= after.SlotsBacked || after.SlotsBacked != slots || c.Get(0) != nil {
		t.Errorf("memory for %d slots, then %d", before.SlotsBacked, after.SlotsBacked)
	}
	if before.MemoryBytes() >= after.MemoryBytes() {
		t.Errorf("%d bytes, then %d", before.MemoryBytes(), after.MemoryBytes())
	}
}
