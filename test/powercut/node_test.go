package powercut

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/memstore"
	"archipelago/peers/mapper"
	"archipelago/peers/mapperd"
	"archipelago/peers/vlmcd"
)

// disks are the two stores of a node.
type disks struct{ maps, blocks *memstore.Store }

// newDisks returns empty ones, of which power cuts tear blocks by sectors.
func newDisks() disks {
	d := disks{memstore.New(), memstore.New()}
	d.maps.TearSectors(true)
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

	// rng picks what happens next; nil: things happen as they come.
	rng *rand.Rand
	// before is called before each operation that changes a store, on the caller's thread.
	before func()

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
		Mapper: mapperPort{n}, Blocks: storePort{blocks, n}, MaxPages: 4, After: n.after,
	})
	return n, nil
}

// end closes the engines; whatever of the mapper's still runs goes on to its end.
func (n *node) end() error {
	if n.rng == nil {
		return n.mapper.Close()
	}
	closed := false
	var err error
	go func() {
		err = n.mapper.Close()
		n.post("closed", func() { closed = true })
	}()
	return errors.Join(n.until(func() bool { return closed }), err)
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
	for range maxSteps {
		if done() {
			return nil
		}
		if !n.step() {
			stacks := make([]byte, 1<<16)
			return fmt.Errorf("nothing happens any more\n%s", stacks[:runtime.Stack(stacks, true)])
		}
	}
	return errors.New("there is no end to it")
}

// maxSteps is far more than any batch of requests takes.
const maxSteps = 50_000

// step lets something happen, and waits for it if need be; false if nothing does for long.
func (n *node) step() bool {
	if n.rng == nil {
		return n.stepAsItComes()
	}
	n.settle()
	n.mu.Lock()
	if len(n.events) == 0 {
		n.mu.Unlock()
		return n.wait()
	}
	slices.SortStableFunc(n.events, func(a, b event) int { return cmp.Compare(a.what, b.what) })
	i := n.rng.IntN(len(n.events))
	e := n.events[i]
	n.events = slices.Delete(n.events, i, i+1)
	n.mu.Unlock()
	e.run()
	return true
}

// settle lets the mapper's goroutines run until they wait for an event or for each other. There is
// one processor, so that they all had their turn when the list doesn't get longer any more.
func (n *node) settle() {
	const quiet = 6
	for before, same := -1, 0; same < quiet; same++ {
		runtime.Gosched()
		n.mu.Lock()
		if len(n.events) != before {
			before, same = len(n.events), 0
		}
		n.mu.Unlock()
	}
}

func (n *node) stepAsItComes() bool {
	n.mu.Lock()
	events := n.events
	n.events = nil
	n.mu.Unlock()
	for _, e := range events {
		e.run()
	}
	return len(events) > 0 || n.wait()
}

// wait returns when an event was added; false if none is for long.
func (n *node) wait() bool {
	start := time.Now()
	defer func() { longestWait = max(longestWait, time.Since(start)) }()
	select {
	case <-n.news:
		return true
	case <-time.After(30 * time.Second):
		// The machine may have stood still meanwhile.
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.events) > 0
	}
}

// after is the composer's clock: what has to wait for a moment may happen at any time, what has to
// wait for long never does.
func (n *node) after(d time.Duration, f func()) {
	switch {
	case n.rng == nil:
		time.AfterFunc(d, func() { n.post("timer", f) })
	case d < time.Second:
		n.post("timer", f)
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
