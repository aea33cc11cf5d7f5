package kill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"archipelago/internal/nbd/client"
	"archipelago/internal/volume"
	"archipelago/test/load"
	"archipelago/test/testnode"
)

const (
	objectSize = 64 << 10
	diskBlocks = 1024 // of 4 KiB: 64 objects
	netBlocks  = 128  // few, so that a block is written again soon
	chains     = 4
	workers    = 4
	// lifeStrikes is after how many strikes the supervisor dies, too.
	lifeStrikes = 10
)

// strikes is how often the node is struck: few in the ordinary run, many in the soak.
func strikes(short, soak int) int {
	if n, err := strconv.Atoi(os.Getenv("ARCHIPELAGO_KILLS")); err == nil {
		return n
	}
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		return soak
	}
	return short
}

// seeded returns a random source whose seed is printed, and can be set by ARCHIPELAGO_SEED.
func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("ARCHIPELAGO_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("ARCHIPELAGO_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// disk is a volume under load and what is known of it.
type disk struct {
	name    string
	checker *load.Checker
	timed   load.Timed
}

// open opens the volume for the load.
func (d *disk) open(ctx context.Context, c *volume.Client) (load.Device, error) {
	v, err := c.Open(ctx, d.name)
	if err != nil {
		return nil, err
	}
	d.timed.Device = v
	return &d.timed, nil
}

// storm is a node under fire.
type storm struct {
	t   *testing.T
	n   *testnode.Node
	rng *rand.Rand

	left, right, back *disk // over xseg
	net               *disk // over NBD
	managers          []manager
	tally             tally

	mu    sync.Mutex
	first error
}

// manager changes maps beside the load. Its context ends when the node dies, and then it keeps in
// mind what it doesn't know.
type manager interface {
	step(ctx context.Context, c *volume.Client) error
	// settle finds out what became of a step that was cut off, and checks that it happened whole or
	// not at all. Nothing else goes on meanwhile.
	settle(ctx context.Context, c *volume.Client) error
	// names are the volumes and snapshots that are there between steps.
	names() []string
	done() string
}

func newStorm(t *testing.T, n *testnode.Node) *storm {
	s := &storm{t: t, n: n, rng: seeded(t)}
	c := n.Dial()
	defer c.Close()
	s.left, s.right = s.disk(c, "left", diskBlocks), s.disk(c, "right", diskBlocks)
	s.back, s.net = s.disk(c, "back", diskBlocks), s.disk(c, "net", netBlocks)
	s.left.checker.Spared, s.right.checker.Spared = chains, chains
	s.managers = []manager{
		&groups{left: s.left, right: s.right},
		&undo{of: s.back, rng: s.child(), snaps: map[string][]uint64{}},
		&churn{rng: s.child()},
	}
	return s
}

// child is a random source of its own: goroutines share none.
func (s *storm) child() *rand.Rand { return rand.New(rand.NewPCG(s.rng.Uint64(), s.rng.Uint64())) }

func (s *storm) disk(c *volume.Client, name string, blocks int) *disk {
	s.t.Helper()
	if _, err := c.Create(s.t.Context(), name, int64(blocks)*load.BlockSize, objectSize); err != nil {
		s.t.Fatal(err)
	}
	return &disk{name: name, checker: load.NewChecker(blocks, s.rng.Uint64())}
}

// fail notes the first failure and ends the life.
func (s *storm) fail(err error, cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = err
	}
	cancel()
}

func (s *storm) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// rage strikes n times, with the whole node killed and started again now and then.
func (s *storm) rage(n int) {
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	netEnd := s.startNet(ctx, cancel)
	for n > 0 && s.failed() == nil {
		k := min(n, lifeStrikes)
		n -= k
		s.life(ctx, k, n > 0)
	}
	netEnd()
	if err := s.failed(); err != nil {
		s.t.Fatalf("under the storm (%v): %v", &s.tally, err)
	}
}

// startNet starts the load over NBD, which outlives the node; end ends it in peace.
func (s *storm) startNet(ctx context.Context, cancel context.CancelFunc) (end func()) {
	c, err := client.Dial(ctx, "unix", socket(s.t, s.n), s.net.name, client.Options{Redial: 2 * time.Millisecond})
	if err != nil {
		s.t.Fatal(err)
	}
	s.net.timed.Device = c
	stop, done, seed := make(chan struct{}), make(chan struct{}), s.rng.Uint64()
	go func() {
		defer close(done)
		defer c.Close()
		if err := s.net.checker.RunUntil(ctx, stop, &s.net.timed, 2*workers, seed); err != nil {
			s.fail(fmt.Errorf("NBD: %s: %w", s.net.name, err), cancel)
		}
	}()
	return func() { close(stop); <-done }
}

// socket is the path of the node's NBD socket.
func socket(t testing.TB, n *testnode.Node) string {
	t.Helper()
	u, err := url.Parse(n.URI)
	if err != nil || u.Query().Get("socket") == "" {
		t.Fatalf("the ready line has %q: %v", n.URI, err)
	}
	return u.Query().Get("socket")
}

// life runs loads and managers for the given number of strikes. It ends with the death of all
// processes, from which the node is started again, or else in peace.
func (s *storm) life(ctx context.Context, strikes int, violent bool) {
	c := s.n.Dial()
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	s.settle(ctx, c)
	s.tally.nodeStalls(s.left, s.right, s.back, s.net)
	s.start(ctx, cancel, c, &wg)
	for range strikes {
		s.strike()
		time.Sleep(time.Duration(s.rng.IntN(300)) * time.Millisecond) // strikes at varied moments
		if ctx.Err() != nil {
			break
		}
	}
	s.tally.stalls(s.left, s.right, s.back, s.net)
	if violent && s.failed() == nil {
		s.n.KillAll()
		s.tally.node++
	}
	cancel()
	wg.Wait()
	if violent && s.failed() == nil {
		s.n.Run()
	}
}

func (s *storm) settle(ctx context.Context, c *volume.Client) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, testnode.Patience)
	defer cancel()
	for _, m := range s.managers {
		if err := m.settle(ctx, c); err != nil {
			s.t.Fatalf("after the storm (%v): %v", &s.tally, err)
		}
	}
}

// start starts everything that runs on the xseg client.
func (s *storm) start(ctx context.Context, cancel context.CancelFunc, c *volume.Client, wg *sync.WaitGroup) {
	run := func(what string, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil && ctx.Err() == nil {
				s.fail(fmt.Errorf("%s: %w", what, err), cancel)
			}
		})
	}
	devices := map[*disk]load.Device{}
	for _, d := range []*disk{s.left, s.right, s.back} {
		dev, err := d.open(ctx, c)
		if err != nil {
			s.t.Fatal(err)
		}
		devices[d] = dev
		seed := s.rng.Uint64()
		run(d.name, func() error { return d.checker.Run(ctx, dev, workers, seed) })
	}
	for i := range chains {
		run("chain", func() error { return s.chain(ctx, devices, diskBlocks-1-i) })
	}
	rng := s.child()
	run("impatience", func() error { return impatience(ctx, devices[s.left], rng) })
	for _, m := range s.managers {
		run("manager", func() error {
			for ctx.Err() == nil {
				if err := m.step(ctx, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// chain writes block i of left, and then of right: a snapshot of both that has the later write has
// the earlier one, too.
func (s *storm) chain(ctx context.Context, on map[*disk]load.Device, i int) error {
	buf := make([]byte, load.BlockSize)
	for ctx.Err() == nil {
		for _, d := range []*disk{s.left, s.right} {
			if err := d.checker.Write(ctx, on[d], i, buf); err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
		}
	}
	return nil
}

// impatience reads and gives up, so that there are always answers on their way that nobody waits
// for: their buffers must not be used again before they came.
func impatience(ctx context.Context, d load.Device, rng *rand.Rand) error {
	buf := make([]byte, 16*load.BlockSize)
	for ctx.Err() == nil {
		few, cancel := context.WithTimeout(ctx, time.Duration(rng.IntN(2000))*time.Microsecond)
		err := d.ReadAt(few, buf, int64(rng.IntN(diskBlocks-16))*load.BlockSize)
		if gaveUp := few.Err() != nil; err != nil && !gaveUp {
			cancel()
			return err
		}
		cancel()
	}
	return nil
}

// verify checks every block and every name, and that the store is whole.
func (s *storm) verify() {
	t := s.t
	t.Helper()
	c := s.n.Dial()
	defer c.Close()
	s.settle(t.Context(), c)
	names := map[string]bool{}
	for _, d := range []*disk{s.left, s.right, s.back, s.net} {
		names[d.name] = true
		dev, err := d.open(t.Context(), c)
		if err == nil {
			err = d.checker.CheckAll(t.Context(), dev)
		}
		if err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
	}
	for _, m := range s.managers {
		for _, name := range m.names() {
			names[name] = true
		}
	}
	err := c.List(t.Context(), func(name string) error {
		if !names[name] {
			t.Errorf("%s is there, and nobody has left it", name)
		}
		delete(names, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range names {
		t.Errorf("%s is gone", name)
	}
	s.n.Vlmc("check")
}

// TestStorm: whatever is killed or stopped, at any moment, loads see pauses and no error; no
// acknowledged write is lost, torn or late, and each change of a map has happened once, or not at
// all.
func TestStorm(t *testing.T) {
	n := testnode.Start(t)
	s := newStorm(t, n)
	begin := time.Now()
	s.rage(strikes(50, 2000))
	t.Logf("%v in %v", &s.tally, time.Since(begin).Round(time.Second))
	for _, m := range s.managers {
		t.Log(m.done())
	}
	s.verify()
	n.Stop()
	n.Run()
	s.verify()
}
