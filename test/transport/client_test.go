package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

const (
	routeSlots  = 16
	routeDepth  = 4
	routeBuffer = 4 << 20
	maxSize     = 1 << 20
)

// client sends requests on each of its routes, checks every answer, and keeps the journal.
type client struct {
	dir     string
	no      uint32
	life    uint32
	routes  [nrRoutes]*route
	drained chan struct{}

	mu      sync.Mutex // what follows is touched by the loop and by those who give up
	journal *journal
	rng     *rand.Rand
}

// route is a channel and what flies on it.
type route struct {
	c       *client
	no      int
	ch      *xseg.Channel
	flying  int // loop
	stopped bool
	drawn   int // under the client's lock
}

// order is one request, as its client remembers it.
type order struct {
	id     uint64
	op     uint32
	size   int
	seed   uint64
	sum    uint64
	stamp  [stampSize]byte
	volume xseg.UUID
}

// draw makes up a request.
func (r *route) draw() (o order) {
	c := r.c
	c.mu.Lock()
	defer c.mu.Unlock()
	o.op = [...]uint32{xseg.OpPing, xseg.OpWrite, xseg.OpWrite, xseg.OpRead}[c.rng.IntN(4)]
	switch n := c.rng.IntN(20); {
	case n == 0:
		o.size = c.rng.IntN(maxSize + 1)
	case n > 4:
		o.size = c.rng.IntN(1 << c.rng.IntN(17))
	}
	o.seed, o.volume = c.rng.Uint64(), volumeOf(r.ch.Dst(), c.rng.IntN(volumes))
	if r.drawn < volumes {
		// Whoever follows a dead client writes to each volume at once: what that one has left must
		// have ended before.
		o.op, o.size, o.volume = xseg.OpWrite, min(o.size, 1000), volumeOf(r.ch.Dst(), r.drawn)
	}
	r.drawn++
	return o
}

// prepare fills a call in and notes that the request begins.
func (r *route) prepare(k *xseg.Call, o *order) {
	c := r.c
	c.mu.Lock()
	o.id = c.journal.begin()
	c.mu.Unlock()
	putStamp(o.stamp[:], c.no, c.life, o.id)
	k.Op, k.Volume, k.Offset, k.Size = o.op, o.volume, o.seed, uint64(o.size)
	if o.sum = uint64(o.size); o.op == xseg.OpWrite {
		xsegtest.Pattern(k.Data(), o.seed)
		o.sum = uint64(xsegtest.Sum(k.Data()))
	} else {
		clear(k.Data())
	}
	putSum(o.stamp[:], o.sum)
	k.SetPayloadLen(copy(k.Payload(), o.stamp[:]))
}

// finish checks an answer and notes the end of its request.
func (r *route) finish(k *xseg.Call, o *order) {
	fate := byte(ended)
	if err := o.verify(k); err != nil {
		fate = wrong
		fail(r.c.dir, "client %d, life %d, route %d: request %d: %v", r.c.no, r.c.life, r.no, o.id, err)
	}
	r.note(o, fate)
}

func (r *route) note(o *order, fate byte) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if !r.c.journal.end(r.no, o.id, fate) {
		fail(r.c.dir, "client %d, life %d: request %d ended twice", r.c.no, r.c.life, o.id)
	}
}

func (o *order) verify(k *xseg.Call) error {
	switch {
	case k.Errno() != 0:
		return fmt.Errorf("operation %d of %d bytes: %w", o.op, o.size, k.Errno())
	case !bytes.Equal(k.Payload()[:k.PayloadLen()], o.stamp[:]):
		return fmt.Errorf("the answer is another request's: it says % x", k.Payload()[:k.PayloadLen()])
	case k.Serviced() != o.sum:
		return fmt.Errorf("operation %d of %d bytes: serviced %#x, want %#x", o.op, o.size, k.Serviced(), o.sum)
	}
	if o.op == xseg.OpRead {
		want := make([]byte, o.size)
		if xsegtest.Pattern(want, o.seed); !bytes.Equal(want, k.Data()) {
			return fmt.Errorf("read of %d bytes: wrong bytes", o.size)
		}
	}
	return nil
}

// more keeps the route full. Loop.
func (r *route) more() {
	for r.flying < routeDepth && !r.stopped {
		o := r.draw()
		k := r.ch.Get(o.size)
		if k == nil {
			return // OnRoom calls again
		}
		r.prepare(k, &o)
		k.User = &o
		k.Done = r.done
		r.flying++
		k.SubmitOnLoop()
	}
	if r.stopped && r.flying == 0 {
		r.c.drained <- struct{}{}
		r.flying = -1 // said once
	}
}

func (r *route) done(k *xseg.Call) {
	r.finish(k, k.User.(*order))
	k.Put()
	r.flying--
	r.more()
}

// impatient sends requests from another goroutine, and gives most of them up soon.
func (r *route) impatient(ctx context.Context) {
	for ctx.Err() == nil {
		o := r.draw()
		k, err := r.ch.GetWait(ctx, o.size)
		if err != nil {
			return
		}
		r.prepare(k, &o)
		short, cancel := context.WithTimeout(context.Background(), o.patience())
		if err := k.Do(short); err != nil {
			r.note(&o, givenUp)
		} else {
			r.finish(k, &o)
			k.Put()
		}
		cancel()
	}
}

func (o *order) patience() time.Duration { return time.Duration(o.seed % uint64(6*time.Millisecond)) }

// free checks that nothing of the route is in use any more: all slots can be had, and all of the
// buffer area in one piece.
func (r *route) free(ctx context.Context) error {
	k, err := r.ch.GetWait(ctx, routeBuffer)
	if err != nil {
		return fmt.Errorf("pages of a buffer area are lost: %w", err)
	}
	all := []*xseg.Call{k}
	for len(all) < routeSlots {
		if k, err = r.ch.GetWait(ctx, 0); err != nil {
			return fmt.Errorf("%d slots are lost: %w", routeSlots-len(all), err)
		}
		all = append(all, k)
	}
	for _, k := range all {
		k.Put()
	}
	return nil
}

// clientRole: client DIR NUMBER LIFE SEED PORT...
func clientRole(ctx context.Context, s *xseg.Segment, args []string, ready func()) error {
	no, _ := strconv.Atoi(args[1])
	life, _ := strconv.Atoi(args[2])
	seed, _ := strconv.ParseUint(args[3], 10, 64)
	j, err := openJournal(args[0], no)
	if err != nil {
		return err
	}
	c := &client{dir: args[0], no: uint32(no), life: uint32(life), journal: j,
		rng: rand.New(rand.NewPCG(seed, uint64(life))), drained: make(chan struct{}, nrRoutes)}
	l, err := s.NewLoop()
	if err != nil {
		return err
	}
	if err := standBy(ctx); err != nil {
		return err
	}
	// A life at another port than the last one's doesn't wait for what that one has left: it is the
	// servers that let none of it land after a request of the new life.
	p, err := l.Bind(ctx, xseg.PortNo(firstClient+no+nrClients*(life%2)), xseg.BindOptions{Role: "client"})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { defer stop(); result <- c.run(ctx, l, p, args[4:], ready) }()
	if err := l.Run(running); err != nil {
		return err
	}
	return errors.Join(<-result, l.Close(), s.Leave())
}

// run connects, works until ctx ends, and leaves nothing behind.
func (c *client) run(ctx context.Context, l *xseg.Loop, p *xseg.Port, ports []string, ready func()) error {
	for i, s := range ports {
		to, _ := strconv.Atoi(s)
		ch, err := p.Connect(ctx, xseg.PortNo(to),
			xseg.ChannelOptions{Slots: routeSlots, BufferBytes: routeBuffer, Wait: true})
		if err != nil {
			return err
		}
		r := &route{c: c, no: i, ch: ch}
		ch.OnRoom(r.more)
		c.routes[i] = r
	}
	ready()
	var hasty sync.WaitGroup
	for _, r := range c.routes {
		l.Post(r.more)
		hasty.Go(func() { r.impatient(ctx) })
	}
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), xsegtest.Patience)
	defer cancel()
	return c.drain(end, l, &hasty)
}

func (c *client) drain(ctx context.Context, l *xseg.Loop, hasty *sync.WaitGroup) error {
	hasty.Wait()
	for _, r := range c.routes {
		l.Post(func() { r.stopped = true; r.more() })
	}
	for range c.routes {
		select {
		case <-c.drained:
		case <-ctx.Done():
			return fmt.Errorf("client %d: requests have never ended", c.no)
		}
	}
	for _, r := range c.routes {
		if err := r.free(ctx); err != nil {
			return fmt.Errorf("client %d, route %d: %w", c.no, r.no, err)
		}
	}
	fmt.Println("drained")
	return nil
}
