package powercut

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/memstore"
	"archipelago/peers/mapper"
	"archipelago/peers/mapperd"
	"archipelago/peers/vlmcd"
)

// disks are the two stores of a node.
type disks struct{ maps, blocks *memstore.Store }

func newDisks() disks {
	d := disks{memstore.New(), memstore.New()}
	d.blocks.TearSectors(true)
	return d
}

func (d disks) clone() disks { return disks{d.maps.Clone(), d.blocks.Clone()} }

func (d disks) powerCut(choose func(int) int) disks {
	return disks{d.maps.PowerCut(choose), d.blocks.PowerCut(choose)}
}

// node is a mapper and a composer on two stores. The composer's thread is the caller's.
type node struct {
	disks    disks
	mapper   *mapperd.Engine
	composer *vlmcd.Engine

	// rng picks what happens next; nil: things happen as they come, and nobody else may be in a
	// bubble.
	rng *rand.Rand
	// before is called before each operation that changes a store, on the caller's thread.
	before func()

	buffer []byte // of client.read

	mu     sync.Mutex
	events []event
	news   chan struct{} // holds one if events were added
}

// event is something that may happen next.
type event struct {
	what string // equal runs have equal ones, whatever goroutine comes first
	run  func()
}

// startNode starts engines on d, which a fault may make see something else.
func startNode(d disks, dir string, boot byte, f fault, rng *rand.Rand, before func()) (*node, error) {
	n := &node{disks: d, before: before, news: make(chan struct{}, 1)}
	maps, blocks := f.wrap(hook{d.maps, n}, hook{d.blocks, n})
	m, err := mapperd.New(mapperd.Config{
		Maps: gate{maps, n, "maps"}, Blocks: gate{blocks, n, "blocks"}, PendingDir: dir, Node: "node1", StoreID: [16]byte{7},
		BootID: [16]byte{boot}, PendingSlots: 16, PendingMax: 16, FlushAfter: time.Hour, IdleAfter: time.Hour,
	})
	if err != nil {
		return nil, err
	}
	n.mapper, n.rng = m, rng // the start blocks: until here, things happen as they come
	n.composer = vlmcd.New(vlmcd.Config{
		Mapper: mapperPort{n}, Blocks: storePort{blocks, n}, MaxPages: 4,
		After: func(d time.Duration, f func()) { time.AfterFunc(d, func() { n.post("timer", f) }) },
	})
	return n, nil
}

// end closes the engines; whatever of the mapper's still runs goes on to its end.
func (n *node) end() error {
	if n.rng == nil {
		return n.mapper.Close()
	}
	closed := make(chan error, 1)
	go func() { closed <- n.mapper.Close() }()
	for {
		synctest.Wait()
		select {
		case err := <-closed:
			return err
		default:
			n.step()
		}
	}
}

func (n *node) post(what string, run func()) {
	n.mu.Lock()
	n.events = append(n.events, event{what, run})
	n.mu.Unlock()
	select {
	case n.news <- struct{}{}:
	default: // one notice is enough
	}
}

// until lets things happen until done says so.
func (n *node) until(done func() bool) error {
	idle := 0
	for !done() {
		if n.step() {
			idle = 0
		} else if idle++; idle > 1000 {
			return errors.New("nothing happens any more")
		}
	}
	return nil
}

// step lets one thing happen; false if nothing did.
func (n *node) step() bool {
	if n.rng == nil {
		return n.stepAsItComes()
	}
	synctest.Wait()
	n.mu.Lock()
	if len(n.events) == 0 {
		n.mu.Unlock()
		time.Sleep(time.Millisecond) // of the bubble's time: timers get their turn
		return false
	}
	slices.SortStableFunc(n.events, func(a, b event) int { return cmp.Compare(a.what, b.what) })
	i := n.rng.IntN(len(n.events))
	e := n.events[i]
	n.events = slices.Delete(n.events, i, i+1)
	n.mu.Unlock()
	e.run()
	return true
}

func (n *node) stepAsItComes() bool {
	n.mu.Lock()
	events := n.events
	n.events = nil
	n.mu.Unlock()
	for _, e := range events {
		e.run()
	}
	if len(events) > 0 {
		return true
	}
	select {
	case <-n.news:
		return true
	case <-time.After(20 * time.Second):
		return false
	}
}

// do runs operations of the composer, all at once, and returns their first error.
func (n *node) do(ops ...*vlmcd.Op) error {
	left := len(ops)
	for _, op := range ops {
		op.Done = func(*vlmcd.Op) { left-- }
		n.composer.Submit(op)
	}
	if err := n.until(func() bool { return left == 0 }); err != nil {
		return err
	}
	for _, op := range ops {
		if op.Err != nil {
			return op.Err
		}
	}
	return nil
}

// ask runs an operation of the mapper.
func (n *node) ask(op *mapper.Op) error {
	done := false
	mapperPort{n}.submit(op, func() { done = true })
	if err := n.until(func() bool { return done }); err != nil {
		return err
	}
	return op.Err
}

// hook tells the node of each change of a store before it is made.
type hook struct {
	blocker.Store
	n *node
}

func (h hook) Submit(op *blocker.Op) {
	if h.n.before != nil && changes(op.Kind) {
		h.n.before()
	}
	h.Store.Submit(op)
}

func changes(k blocker.Kind) bool {
	switch k {
	case blocker.Read, blocker.Stat, blocker.List, blocker.LockRead:
		return false
	}
	return true
}

// gate makes each operation of the mapper an event.
type gate struct {
	blocker.Store
	n    *node
	name string
}

func (g gate) Submit(op *blocker.Op) {
	if g.n.rng == nil {
		g.Store.Submit(op)
		return
	}
	g.n.post(describe(g.name, op), func() { g.Store.Submit(op) })
}

func describe(who string, op *blocker.Op) string {
	return fmt.Sprintf("%s %d %s %d", who, op.Kind, op.Name, op.Offset)
}

// storePort is the data blocker as the composer sees it: that an operation takes place and that the
// composer hears of it are two events.
type storePort struct {
	blocker.Store
	n *node
}

func (s storePort) Submit(op *blocker.Op) {
	if s.n.rng == nil {
		s.Store.Submit(op)
		return
	}
	what := describe("composer", op)
	done := op.Done
	s.n.post(what, func() {
		op.Done = func(op *blocker.Op) {
			op.Done = done
			s.n.post("end of "+what, func() { done(op) })
		}
		s.Store.Submit(op)
	})
}

// mapperPort is the mapper as the composer sees it.
type mapperPort struct{ n *node }

func (m mapperPort) Submit(op *mapper.Op) {
	done := op.Done
	m.submit(op, func() {
		op.Done = done
		done(op)
	})
}

func (m mapperPort) submit(op *mapper.Op, done func()) {
	what := fmt.Sprintf("mapper %d %s %d", op.Kind, op.Name, op.Index)
	op.Done = func(*mapper.Op) { m.n.post(what, done) }
	m.n.mapper.Submit(op)
}
