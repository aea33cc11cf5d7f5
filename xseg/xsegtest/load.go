package xsegtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"archipelago/xseg"
)

// Load sends random requests to a server that answers as Echo does, and checks every answer. It
// runs on the loop of its channel.
type Load struct {
	Channel *xseg.Channel
	Depth   int   // requests in flight
	Count   int64 // how many; 0 = until Stop
	MaxData int   // largest buffer, bytes
	Volume  xseg.UUID

	rng     *rand.Rand
	begun   int64
	ended   int64
	flying  map[*xseg.Call]uint64 // what each waits for
	stopped bool
	err     error
	once    sync.Once
	done    chan struct{}
}

// Start begins; seed makes the requests repeatable.
func (l *Load) Start(p *Peer, seed uint64) { l.StartOn(p.Loop, seed) }

// StartOn is Start for a loop that isn't a Peer's.
func (l *Load) StartOn(loop *xseg.Loop, seed uint64) {
	l.rng = rand.New(rand.NewPCG(seed, 1))
	l.flying = map[*xseg.Call]uint64{}
	l.done = make(chan struct{})
	l.Channel.OnRoom(l.more)
	loop.Post(l.more)
}

// Stop ends the load once what is in flight has ended. On the loop (Post it).
func (l *Load) Stop() {
	l.stopped = true
	l.check()
}

// Wait waits for the end; the first wrong answer is the error.
func (l *Load) Wait(ctx context.Context) (ended int64, err error) {
	select {
	case <-l.done:
		return l.ended, l.err
	case <-ctx.Done():
		return 0, fmt.Errorf("load has not ended: %w", ctx.Err())
	}
}

func (l *Load) more() {
	for len(l.flying) < l.Depth && !l.over() && l.one() {
		l.begun++
	}
	l.check()
}

func (l *Load) over() bool {
	return l.stopped || l.err != nil || l.Count > 0 && l.begun >= l.Count
}

func (l *Load) check() {
	if l.over() && len(l.flying) == 0 {
		l.once.Do(func() { close(l.done) })
	}
}

// one submits one random request; false if there is no room.
func (l *Load) one() bool {
	op := [...]uint32{xseg.OpPing, xseg.OpWrite, xseg.OpRead}[l.rng.IntN(3)]
	size := 0
	if l.MaxData > 0 && op != xseg.OpPing {
		size = 1 + l.rng.IntN(l.MaxData)
	}
	k := l.Channel.GetOnLoop(size)
	if k == nil {
		return false
	}
	k.Op, k.Volume, k.Offset, k.Size = op, l.Volume, l.rng.Uint64(), uint64(size)
	want := uint64(size)
	switch op {
	case xseg.OpWrite:
		Pattern(k.Data(), k.Offset)
		want = uint64(Sum(k.Data()))
	case xseg.OpRead:
		clear(k.Data()[:min(size, 16)])
	case xseg.OpPing:
		n := l.rng.IntN(xseg.InlineMax + 1)
		Pattern(k.Payload()[:n], k.Offset)
		k.SetPayloadLen(n)
	}
	k.Done = l.gotReply
	l.flying[k] = want
	k.SubmitOnLoop()
	return true
}

func (l *Load) gotReply(k *xseg.Call) {
	want, ok := l.flying[k]
	switch {
	case !ok:
		l.fail(fmt.Errorf("a request ended twice"))
		return
	case k.Errno() != 0:
		l.fail(fmt.Errorf("operation %d of %d bytes: %w", k.Op, k.Size, k.Errno()))
	default:
		l.verify(k, want)
	}
	delete(l.flying, k)
	l.ended++
	k.PutOnLoop()
	l.more()
}

func (l *Load) verify(k *xseg.Call, want uint64) {
	if k.Serviced() != want {
		l.fail(fmt.Errorf("operation %d of %d bytes: serviced %d, want %d", k.Op, k.Size, k.Serviced(), want))
	}
	got := k.Payload()[:k.PayloadLen()]
	if k.Op == xseg.OpRead {
		got = k.Data()
	}
	expect := make([]byte, len(got))
	Pattern(expect, k.Offset)
	if k.Op != xseg.OpWrite && !bytes.Equal(got, expect) {
		l.fail(fmt.Errorf("operation %d of %d bytes: wrong bytes", k.Op, k.Size))
	}
}

func (l *Load) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// loadRole: load PORT TO DEPTH COUNT MAXDATA SEED; says "ready" when connected, "done" at the end.
func loadRole(ctx context.Context, s *xseg.Segment, args []string, ready func()) error {
	var n [6]int64
	for i := range n {
		v, err := portArg(args, i)
		if err != nil {
			return err
		}
		n[i] = int64(v)
	}
	l, err := NewLoop(s)
	if err != nil {
		return err
	}
	p, err := l.Bind(ctx, xseg.PortNo(n[0]), xseg.BindOptions{Role: "load"})
	if err != nil {
		return err
	}
	c, err := p.Connect(ctx, xseg.PortNo(n[1]),
		xseg.ChannelOptions{Slots: 64, BufferBytes: 4 * max(n[4], 4096) * n[2], Wait: true})
	if err != nil {
		return err
	}
	load := &Load{Channel: c, Depth: int(n[2]), Count: n[3], MaxData: int(n[4])}
	load.StartOn(l, uint64(n[5]))
	ready()
	ctx, cancel := context.WithCancel(ctx)
	result := make(chan error, 1)
	go func() {
		_, err := load.Wait(ctx)
		result <- err
		cancel()
	}()
	if err := l.Run(ctx); err != nil {
		return err
	}
	if err := <-result; err == nil {
		fmt.Println("done")
	} else if !errors.Is(err, context.Canceled) {
		return err
	}
	return l.Close()
}
