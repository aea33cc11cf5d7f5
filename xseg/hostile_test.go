package xseg_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// scribbleRole: scribble PORT TO WHAT SEED breaks its own channel to TO with random bytes, or
// ("segment") the whole segment, again and again; it says "ready" after the first time.
func scribbleRole(ctx context.Context, s *xseg.Segment, args []string, ready func()) error {
	no, _ := strconv.Atoi(args[0])
	to, _ := strconv.Atoi(args[1])
	seed, _ := strconv.ParseUint(args[3], 10, 64)
	l, err := s.NewLoop()
	if err != nil {
		return err
	}
	p, err := l.Bind(ctx, xseg.PortNo(no), xseg.BindOptions{Role: "scribble"})
	if err != nil {
		return err
	}
	c, err := p.Connect(ctx, xseg.PortNo(to), xseg.ChannelOptions{Slots: 16, BufferBytes: 1 << 20})
	if err != nil {
		return err
	}
	go func() { _ = l.Run(ctx) }()
	rng := rand.New(rand.NewPCG(seed, 2))
	mem := c.Extent()
	if args[2] == "segment" {
		mem = s.Memory()
		mem = mem[:min(len(mem), 8<<20)]
	}
	for i := 0; ctx.Err() == nil; i++ {
		scribble(mem, rng)
		if k := c.Get(0); k != nil {
			k.Op = rng.Uint32N(50)
			k.Submit() // wakes the server, which then meets the rest
		}
		if i == 50 {
			ready()
		}
		time.Sleep(50 * time.Microsecond) // leaves the processor to the victims
	}
	return nil
}

// scribble writes words that are random, or near to what belongs there.
func scribble(mem []byte, rng *rand.Rand) {
	for range 20 {
		at := rng.IntN(len(mem)-8) &^ 7
		if rng.IntN(2) == 0 {
			at = rng.IntN(min(len(mem), 2048)-8) &^ 3 // header, ring, state words
		}
		v := rng.Uint64()
		if rng.IntN(2) == 0 {
			v &= 0x3ff
		}
		binary.LittleEndian.PutUint64(mem[at:], v)
	}
}

// TestHostileSubmitter: one who breaks its own channel harms neither the server nor the others.
func TestHostileSubmitter(t *testing.T) {
	n := xsegtest.New(t)
	n.Child(t, "echo", []string{"10"}).Ready()
	p, c := newClient(t, n, 20, 10, xseg.ChannelOptions{Slots: 32, BufferBytes: 4 << 20})
	load := &xsegtest.Load{Channel: c, Depth: 8, Count: 3000, MaxData: 20_000}
	seed := xsegtest.Seed(t)
	var bad []*xsegtest.Child
	for i := range 3 {
		b := n.Child(t, "scribble", []string{strconv.Itoa(30 + i), "10", "channel", strconv.FormatUint(seed+uint64(i), 10)})
		b.Ready()
		bad = append(bad, b)
	}
	load.Start(p, seed)
	ctx, cancel := context.WithTimeout(t.Context(), xsegtest.Patience)
	defer cancel()
	if _, err := load.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	for _, b := range bad {
		b.Kill()
	}
	n.Empty(t, 1)
}

// TestHostileServer: a server that breaks the channels that it serves can't crash a submitter,
// and its successor heals them.
func TestHostileServer(t *testing.T) {
	n := xsegtest.New(t)
	seed := xsegtest.Seed(t)
	bad := n.Peer(t)
	rng := rand.New(rand.NewPCG(seed, 3))
	broken := make(chan struct{}, 1000)
	var victim *xseg.Channel
	bad.Bind(10, xseg.BindOptions{Role: "echo", Handler: func(r *xseg.Request) {
		scribble(victim.Extent(), rng)
		select {
		case broken <- struct{}{}:
		default:
		}
		r.RespondOnLoop(0, 0)
	}})
	p, c := newClient(t, n, 20, 10, xseg.ChannelOptions{Slots: 16, BufferBytes: 1 << 20})
	victim = c
	var calls []*xseg.Call
	ended := make(chan *xseg.Call, 16)
	for range 16 {
		k := c.Get(0)
		k.Done = func(k *xseg.Call) { ended <- k }
		calls = append(calls, k)
	}
	bad.Run()
	for _, k := range calls {
		k.Submit()
	}
	<-broken
	stopped := make(chan struct{})
	go func() { bad.Stop(); close(stopped) }()
	<-stopped
	n.Child(t, "echo", []string{"10"}).Ready()
	for range calls {
		select {
		case k := <-ended:
			k.Put()
		case <-time.After(xsegtest.Patience):
			t.Fatal("a request never ended")
		}
	}
	load := &xsegtest.Load{Channel: c, Depth: 8, Count: 500, MaxData: 20_000}
	load.Start(p, seed)
	if _, err := load.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestHostileSegment: bytes scribbled over the whole segment stop the work, but crash nobody.
func TestHostileSegment(t *testing.T) {
	n := xsegtest.New(t)
	seed := xsegtest.Seed(t)
	srv := n.Child(t, "echo", []string{"10"})
	srv.Ready()
	// The victims live in a child, so that a crash of theirs is told from a failure of the test.
	victim := n.Child(t, "load", []string{"20", "10", "8", "0", "20000", "1"})
	victim.Ready()
	bad := n.Child(t, "scribble", []string{"30", "10", "segment", strconv.FormatUint(seed, 10)})
	bad.Ready()
	time.Sleep(400 * time.Millisecond) // nothing is waited for: the victims must live through it
	bad.Kill()
	for _, c := range []*xsegtest.Child{srv, victim} {
		c.Kill()
		if c.Crashed() {
			t.Error("a victim crashed")
		}
	}
}
