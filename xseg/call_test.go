package xseg_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// held is a server that keeps the requests it receives until it is told what to do with them.
type held struct {
	*xsegtest.Peer
	got chan *xseg.Request
}

func newHeld(t *testing.T, n *xsegtest.Node, no xseg.PortNo) *held {
	h := &held{Peer: n.Peer(t), got: make(chan *xseg.Request, 1024)}
	h.Bind(no, xseg.BindOptions{Role: "held", Handler: func(r *xseg.Request) { h.got <- r }})
	return h
}

func (h *held) next(t *testing.T) *xseg.Request {
	t.Helper()
	select {
	case r := <-h.got:
		return r
	case <-time.After(xsegtest.Patience):
		t.Fatal("no request came")
		return nil
	}
}

func (h *held) nothing(t *testing.T, why string) {
	t.Helper()
	h.settle()
	select {
	case r := <-h.got:
		t.Fatalf("request %d came: %s", r.Op(), why)
	default:
	}
}

// settle returns when the loop has gone around with everything that was there.
func (h *held) settle() {
	for range 3 {
		done := make(chan struct{})
		h.Loop.Post(func() { close(done) })
		<-done
	}
}

func newClient(t *testing.T, n *xsegtest.Node, from, to xseg.PortNo, opts xseg.ChannelOptions) (*xsegtest.Peer, *xseg.Channel) {
	p := n.Peer(t)
	c := p.Connect(p.Bind(from, xseg.BindOptions{Role: "client"}), to, opts)
	p.Run()
	return p, c
}

var small = xseg.ChannelOptions{Slots: 4, BufferBytes: 64 << 10}

func TestRequestFields(t *testing.T) {
	n := xsegtest.New(t)
	h := newHeld(t, n, 10)
	h.Run()
	_, c := newClient(t, n, 20, 10, small)
	k := c.Get(5000)
	k.Op, k.Flags, k.Volume, k.Term = xseg.OpWrite, xseg.ReqFUA, xseg.UUID{1, 2}, 7
	k.Offset, k.Size, k.RequestID = 1<<40, 5000, xseg.RequestID{9}
	k.SetTarget("vol-1")
	k.SetPayloadLen(copy(k.Payload(), "args"))
	copy(k.Data(), "data")
	done := make(chan *xseg.Call)
	k.Done = func(k *xseg.Call) { done <- k }
	k.Submit()

	r := h.next(t)
	if r.Op() != xseg.OpWrite || r.Flags() != xseg.ReqFUA || r.Volume() != (xseg.UUID{1, 2}) ||
		r.Term() != 7 || r.Offset() != 1<<40 || r.Size() != 5000 || r.RequestID() != (xseg.RequestID{9}) ||
		string(r.Target()) != "vol-1" || string(r.PayloadIn()) != "args" || r.Source() != 20 ||
		len(r.Data()) != 5000 || string(r.Data()[:4]) != "data" || r.Serial() == 0 {
		t.Fatalf("%+v", r)
	}
	r.SetPayloadLen(copy(r.Payload(), "answer"))
	r.Respond(syscall.ENOSPC, 12)

	k = <-done
	if k.Errno() != syscall.ENOSPC || k.Serviced() != 12 || string(k.Payload()[:k.PayloadLen()]) != "answer" {
		t.Fatal(k.Errno(), k.Serviced(), k.PayloadLen())
	}
	k.Put()
}

// TestZeroCopy: a buffer of one channel is good on another; memory outside of buffers is not.
func TestZeroCopy(t *testing.T) {
	n := xsegtest.New(t)
	n.Child(t, "echo", []string{"10"}).Ready()
	p := n.Peer(t)
	port := p.Bind(20, xseg.BindOptions{})
	a := p.Connect(port, 10, small)
	b := p.Connect(port, 10, xseg.ChannelOptions{Slots: 4})
	p.Run()
	k, l := a.Get(9000), b.Get(0)
	xsegtest.Pattern(k.Data(), 3)
	l.Op = xseg.OpWrite
	l.SetData(k.Data()[100:8000])
	if err := l.Do(t.Context()); err != nil || l.Errno() != 0 ||
		l.Serviced() != uint64(xsegtest.Sum(k.Data()[100:8000])) {
		t.Fatal(err, l.Errno(), l.Serviced())
	}
}

func TestBackPressure(t *testing.T) {
	n := xsegtest.New(t)
	h := newHeld(t, n, 10)
	h.Run()
	_, c := newClient(t, n, 20, 10, small)
	room := make(chan struct{}, 10)
	c.OnRoom(func() { room <- struct{}{} })
	var calls []*xseg.Call
	for range 4 {
		calls = append(calls, c.Get(0))
	}
	if c.Get(0) != nil {
		t.Fatal("a fifth slot")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.GetWait(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	calls[0].Put()
	<-room
	big := c.Get(60 << 10)
	calls[1].Put()
	if c.Get(8<<10) != nil {
		t.Fatal("more buffers than the area has")
	}
	big.Put()
	<-room
	if k, err := c.GetWait(t.Context(), 64<<10); err != nil {
		t.Fatal(err)
	} else {
		k.Put()
	}
	if _, err := c.GetWait(t.Context(), 65<<10); !errors.Is(err, xseg.ErrLimit) {
		t.Fatal(err)
	}
}

// TestCancel: a request that no server has begun is taken back at once, but its slot waits until
// the server has read past its ring entry.
func TestCancel(t *testing.T) {
	n := xsegtest.New(t)
	h := newHeld(t, n, 10) // not running yet
	_, c := newClient(t, n, 20, 10, small)
	for range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := c.Get(4096).Do(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		cancel()
	}
	if c.Get(0) != nil {
		t.Fatal("a slot whose ring entry nobody has read was given out")
	}
	h.Run()
	k, err := c.GetWait(t.Context(), 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	h.nothing(t, "it was cancelled")
	k.Put()
}

// TestQuarantine: a request that runs can be given up, but slot and buffer stay out of use until
// its answer has come.
func TestQuarantine(t *testing.T) {
	n := xsegtest.New(t)
	h := newHeld(t, n, 10)
	h.Run()
	_, c := newClient(t, n, 20, 10, small)
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	k := c.Get(64 << 10)
	go func() { gaveUp <- k.Do(ctx) }()
	r := h.next(t)
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if c.Get(4096) != nil {
		t.Fatal("a buffer that a server may still write to was given out")
	}
	r.Respond(0, 0)
	if _, err := c.GetWait(t.Context(), 64<<10); err != nil {
		t.Fatal(err)
	}
}

// TestGhost: while a request of a dead client runs, nothing on its volume overtakes it.
func TestGhost(t *testing.T) {
	n := xsegtest.New(t)
	h := newHeld(t, n, 10)
	gone := make(chan xseg.PortNo, 10)
	h.Bind(11, xseg.BindOptions{Handler: func(r *xseg.Request) { h.got <- r }, Gone: func(p xseg.PortNo) { gone <- p }})
	h.Run()
	vol, other := xseg.UUID{1}, xseg.UUID{2}

	dead := n.Child(t, "one", []string{"30", "11", "1"})
	dead.Ready()
	ghost := h.next(t)
	dead.Kill()
	xsegtest.Eventually(t, "the ghost is known", func() bool { return h.ghosts(11) == 1 })
	parkedDead := n.Child(t, "one", []string{"31", "11", "1"}) // not before: it would be served
	parkedDead.Ready()

	_, c := newClient(t, n, 20, 11, small)
	submit := func(v xseg.UUID, op uint32) {
		k := c.Get(0)
		k.Op, k.Volume = op, v
		k.Submit()
	}
	submit(vol, 101)
	submit(vol, 102)
	submit(other, 103)
	if r := h.next(t); r.Op() != 103 {
		t.Fatalf("request %d overtook a ghost", r.Op())
	} else {
		r.Respond(0, 0)
	}
	parkedDead.Kill() // its request waits behind the ghost: it is dropped
	if p := <-gone; p != 31 {
		t.Fatalf("port %d is gone, but its request runs", p)
	}
	h.nothing(t, "a ghost runs")
	ghost.Respond(0, 0)
	if p := <-gone; p != 30 {
		t.Fatal(p)
	}
	for want := uint32(101); want <= 102; want++ {
		r := h.next(t)
		if r.Op() != want {
			t.Fatalf("request %d, want %d", r.Op(), want)
		}
		r.Respond(0, 0)
	}
	n.Empty(t, 1)
}

// ghosts returns how many requests of dead clients the port still works on, as the segment shows
// it: channels whose submitter is dead and which have requests in flight.
func (h *held) ghosts(dst xseg.PortNo) int {
	alive := map[xseg.PortNo]bool{}
	for _, p := range h.Segment.Ports() {
		alive[p.No] = p.Alive
	}
	count := 0
	for _, c := range h.Segment.Channels() {
		if c.Dst == dst && !alive[c.Src] && c.InFlight > 0 {
			count++
		}
	}
	h.settle()
	return count
}

// TestRecoveryTime: with a limit, requests fail when no successor comes, and what a dead server
// had begun stays in quarantine until one does.
func TestRecoveryTime(t *testing.T) {
	n := xsegtest.New(t)
	srv := n.Child(t, "stuck", []string{"10"})
	srv.Ready()
	opts := small
	opts.RecoverySeconds = 1
	_, c := newClient(t, n, 20, 10, opts)
	k := c.Get(60 << 10)
	done := make(chan *xseg.Call, 1)
	k.Done = func(k *xseg.Call) { done <- k }
	k.Submit()
	if srv.Line() != "got" {
		t.Fatal("server has no request")
	}
	srv.Kill()
	if k := <-done; k.Errno() != syscall.EHOSTDOWN {
		t.Fatal(k.Errno())
	}
	k.Put()
	if c.Get(8<<10) != nil {
		t.Fatal("buffer of a request that may run was given out")
	}
	l := c.Get(0)
	if err := l.Do(t.Context()); err != nil || l.Errno() != syscall.EHOSTDOWN {
		t.Fatal(err, l.Errno())
	}
	l.Put()
	n.Child(t, "echo", []string{"10"}).Ready()
	m, err := c.GetWait(t.Context(), 60<<10)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Do(t.Context()); err != nil || m.Errno() != 0 {
		t.Fatal(err, m.Errno())
	}
}

// TestManyGoroutines: calls of one channel from many goroutines, some of which give up.
func TestManyGoroutines(t *testing.T) {
	n := xsegtest.New(t)
	n.Child(t, "echo", []string{"10"}).Ready()
	_, c := newClient(t, n, 20, 10, xseg.ChannelOptions{Slots: 16, BufferBytes: 256 << 10})
	seed := xsegtest.Seed(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(g)))
			for range 300 {
				oneOfMany(t, c, rng)
			}
		})
	}
	wg.Wait()
}

func oneOfMany(t *testing.T, c *xseg.Channel, rng *rand.Rand) {
	size := rng.IntN(64 << 10)
	k, err := c.GetWait(t.Context(), size)
	if err != nil {
		t.Error(err)
		return
	}
	xsegtest.Pattern(k.Data(), uint64(size))
	k.Op = xseg.OpWrite
	want := uint64(xsegtest.Sum(k.Data()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if rng.IntN(4) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(60))*time.Microsecond)
		defer cancel()
	}
	if err := k.Do(ctx); err != nil {
		return // given up: Do has put it back
	}
	if k.Errno() != 0 || k.Serviced() != want {
		t.Errorf("%d bytes: errno %d, sum %d, want %d", size, k.Errno(), k.Serviced(), want)
	}
	k.Put()
}

// TestNoAllocations: a request costs no allocation, at either end (both are in this process).
func TestNoAllocations(t *testing.T) {
	n := xsegtest.New(t)
	srv := n.Peer(t)
	srv.Bind(10, xseg.BindOptions{Handler: xsegtest.Echo})
	srv.Run()
	p, c := newClient(t, n, 20, 10, xseg.ChannelOptions{Slots: 64, BufferBytes: 1 << 20})
	pm := &pump{ch: c}
	pm.run(p.Loop, 1000, 32)
	allocs := testing.AllocsPerRun(5, func() { pm.run(p.Loop, 1000, 32) })
	if allocs > 20 { // what pump.run itself allocates
		t.Fatalf("%v allocations in 1000 requests", allocs)
	}
	k := c.Get(0)
	_ = k.Do(t.Context())
	k.Put()
	if allocs := testing.AllocsPerRun(100, func() {
		k := c.Get(8192)
		_ = k.Do(t.Context())
		k.Put()
	}); allocs != 0 {
		t.Fatalf("%v allocations per Do", allocs)
	}
}

func TestCounters(t *testing.T) {
	n := xsegtest.New(t)
	n.Child(t, "echo", []string{"10"}).Ready()
	p, c := newClient(t, n, 20, 10, small)
	for _, op := range []uint32{xseg.OpRead, xseg.OpWrite, xseg.OpCopy} {
		k := c.Get(4096)
		k.Op = op
		if err := k.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.Put()
	}
	var port xseg.Counters
	xsegtest.Eventually(t, "counters of the server", func() bool {
		for _, info := range p.Segment.Ports() {
			if info.No == 10 {
				port = info.Counters
			}
		}
		return port.Requests == 3
	})
	var total uint64
	for _, n := range port.Latency {
		total += n
	}
	if port.Errors != 1 || port.BytesRead != 4096 || total != 3 || port.InFlight != 0 {
		t.Fatalf("%+v", port)
	}
	var ch xseg.ChannelInfo
	xsegtest.Eventually(t, "counters of the channel", func() bool {
		ch = p.Segment.Channels()[0]
		return ch.Counters.Requests == 3
	})
	if ch.State != "live" || ch.Src != 20 || ch.Dst != 10 || ch.Slots != 4 || ch.InFlight != 0 ||
		ch.BufferBytes != 64<<10 || ch.BackedBytes == 0 {
		t.Fatalf("%+v", ch)
	}
}

// TestPromptWakeUps: no round trip waits for the limit that ends every sleep: somebody would have
// missed a wake-up. The pauses let both ends fall asleep.
func TestPromptWakeUps(t *testing.T) {
	n := xsegtest.New(t)
	n.Child(t, "echo", []string{"10"}).Ready()
	_, c := newClient(t, n, 20, 10, small)
	rng := rand.New(rand.NewPCG(xsegtest.Seed(t), 7))
	for range 500 {
		time.Sleep(time.Duration(rng.IntN(200)) * time.Microsecond)
		begun := time.Now()
		k := c.Get(0)
		if err := k.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.Put()
		if d := time.Since(begun); d > 1500*time.Millisecond {
			t.Fatalf("a round trip took %v", d)
		}
	}
}

// TestBindAnyPasses: a port whose dead holder's request still runs is passed over.
func TestBindAnyPasses(t *testing.T) {
	n := xsegtest.New(t)
	h := newHeld(t, n, 10)
	h.Run()
	dead := n.Child(t, "one", []string{"30", "10", "1"})
	dead.Ready()
	r := h.next(t)
	dead.Kill()
	p := n.Peer(t)
	port, err := p.Loop.BindAny(t.Context(), 30, 31, xseg.BindOptions{})
	if err != nil || port.No() != 31 {
		t.Fatal(port, err)
	}
	r.Respond(0, 0)
	n.Empty(t, 0)
}
