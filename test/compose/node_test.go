package compose

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/memstore"
	"archipelago/peers/mapper"
	"archipelago/peers/mapperd"
	"archipelago/peers/vlmcd"
)

// node is a composer, a mapper and two stores. The composer's thread is the test's: what has
// happened waits in a list, and run takes a random one of it at a time, so that answers come in any
// order. The mapper works in goroutines of its own.
type node struct {
	t            testing.TB
	rng          *rand.Rand
	maps, blocks blocker.Store
	pending      string
	mapper       *mapperd.Engine
	composer     *vlmcd.Engine
	gen          int
	asked        int // operations at the mapper

	mu     sync.Mutex
	events []func()
	news   chan struct{} // holds one if events were added
}

func newNode(t testing.TB, seed uint64) *node {
	return newNodeOn(t, seed, memstore.New(), memstore.New())
}

// newNodeOn is newNode over stores that live longer.
func newNodeOn(t testing.TB, seed uint64, maps, blocks blocker.Store) *node {
	n := &node{t: t, rng: rand.New(rand.NewPCG(seed, 3)), maps: maps, blocks: blocks,
		pending: t.TempDir(), news: make(chan struct{}, 1)}
	n.startMapper()
	n.startComposer()
	t.Cleanup(func() { n.mapper.Close() })
	return n
}

func (n *node) startMapper() {
	m, err := mapperd.New(mapperd.Config{Maps: n.maps, Blocks: n.blocks, PendingDir: n.pending,
		Node: "node1", BootID: [16]byte{1}, FlushAfter: time.Hour, IdleAfter: time.Hour})
	if err != nil {
		n.t.Fatal(err)
	}
	m.Recover()
	n.mapper = m
}

func (n *node) startComposer() {
	gen := n.gen
	n.composer = vlmcd.New(vlmcd.Config{
		Mapper: mapperPort{n, gen}, Blocks: storePort{n, gen}, MaxPages: 2,
		After: func(d time.Duration, f func()) { time.AfterFunc(d, func() { n.post(gen, f) }) },
	})
}

// post queues f, which is dropped if the composer that it is for is dead when it is its turn. Any
// goroutine.
func (n *node) post(gen int, f func()) {
	n.always(func() {
		if gen == n.gen {
			f()
		}
	})
}

// always queues f. Any goroutine.
func (n *node) always(f func()) {
	n.mu.Lock()
	n.events = append(n.events, f)
	n.mu.Unlock()
	select {
	case n.news <- struct{}{}:
	default: // one notice is enough
	}
}

// step lets one event happen; it waits for one if none is there.
func (n *node) step() {
	n.mu.Lock()
	for len(n.events) == 0 {
		n.mu.Unlock()
		select {
		case <-n.news:
		case <-time.After(20 * time.Second):
			n.t.Fatal("nothing happens any more")
		}
		n.mu.Lock()
	}
	i, last := n.rng.IntN(len(n.events)), len(n.events)-1
	f := n.events[i]
	n.events[i] = n.events[last]
	n.events = n.events[:last]
	n.mu.Unlock()
	f()
}

// killComposer ends the composer: what it had passed on ends, or never begins, before its successor
// is there.
func (n *node) killComposer() {
	n.gen++
	for n.underWay() {
		n.step()
	}
	n.startComposer()
}

func (n *node) underWay() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked > 0 || len(n.events) > 0
}

// restartMapper ends the mapper when it has answered what it was asked, and starts another one on
// the same stores and pending logs. The composer isn't told.
func (n *node) restartMapper() {
	if n.asked > 0 {
		return
	}
	if err := n.mapper.Close(); err != nil {
		n.t.Fatal(err)
	}
	n.startMapper()
}

// storePort is the data blocker as a composer sees it.
type storePort struct {
	n   *node
	gen int
}

func (s storePort) Close() error { return nil }

func (s storePort) Submit(op *blocker.Op) {
	s.n.post(s.gen, func() {
		done := op.Done
		_ = blocker.Do(s.n.blocks, op)
		op.Done = done
		s.n.post(s.gen, func() { op.Done(op) })
	})
}

// mapperPort is the mapper as a composer sees it.
type mapperPort struct {
	n   *node
	gen int
}

func (m mapperPort) Submit(op *mapper.Op) {
	n := m.n
	n.post(m.gen, func() {
		n.asked++
		done := op.Done
		op.Done = func(*mapper.Op) {
			op.Done = done
			// As an event, so that whoever waits for the end has something to wait for.
			n.always(func() {
				n.asked--
				if m.gen == n.gen {
					done(op)
				}
			})
		}
		n.mapper.Submit(op)
	})
}
