package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/volume"
	"archipelago/test/load"
	"archipelago/test/testnode"
)

const (
	volumeBlocks = 4096 // 16 MiB: four objects
	workers      = 8
)

// rounds is how often something is killed: few in the ordinary run, many in the soak.
func rounds(short, soak int) int {
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		return soak
	}
	return short
}

// seeded returns a random source whose seed is printed, and can be set by ARCHIPELAGO_SEED.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("ARCHIPELAGO_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("ARCHIPELAGO_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// disk is one volume under load and what is known of it.
type disk struct {
	name    string
	checker *load.Checker
}

func open(t *testing.T, c *volume.Client, name string) *volume.Volume {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testnode.Patience)
	defer cancel()
	v, err := c.Open(ctx, name)
	if err != nil {
		t.Fatalf("open %s: %v", name, err)
	}
	return v
}

func create(t *testing.T, c *volume.Client, name string) disk {
	t.Helper()
	if _, err := c.Create(t.Context(), name, volumeBlocks*load.BlockSize, 0); err != nil {
		t.Fatal(err)
	}
	return disk{name, load.NewChecker(volumeBlocks, rand.Uint64())}
}

// prepare makes a fresh volume and a clone of a half-written one.
func prepare(t *testing.T, n *testnode.Node) []disk {
	t.Helper()
	c := n.Dial()
	defer c.Close()
	fresh, origin := create(t, c, "fresh"), create(t, c, "origin")
	v, buf := open(t, c, "origin"), make([]byte, load.BlockSize)
	for i := 0; i < volumeBlocks; i += 3 {
		if err := origin.checker.Write(t.Context(), v, i, buf); err != nil {
			t.Fatal(err)
		}
	}
	low := origin.checker.Low()
	if _, err := c.Snapshot(t.Context(), "origin", "snap"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Clone(t.Context(), "clone", "snap", 0); err != nil {
		t.Fatal(err)
	}
	return []disk{fresh, {"clone", origin.checker.Fork(low)}, origin}
}

// check reads every block of every disk.
func check(t *testing.T, n *testnode.Node, disks []disk) {
	t.Helper()
	c := n.Dial()
	defer c.Close()
	for _, d := range disks {
		if err := d.checker.CheckAll(t.Context(), open(t, c, d.name)); err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
	}
}

// TestKillAllAtOnce kills the supervisor and every peer at one moment, under load, starts the node
// again and finds every acknowledged write.
func TestKillAllAtOnce(t *testing.T) {
	rng := seeded(t)
	n := testnode.Start(t)
	disks := prepare(t, n)
	for round := range rounds(4, 200) {
		killAllUnderLoad(t, n, disks, rng)
		n.Run()
		check(t, n, disks)
		t.Logf("round %d: every acknowledged write is there", round)
	}
}

func killAllUnderLoad(t *testing.T, n *testnode.Node, disks []disk, rng *rand.Rand) {
	t.Helper()
	c := n.Dial()
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ends := startLoad(ctx, ctx.Done(), t, c, disks, rng)
	time.Sleep(time.Duration(100+rng.IntN(500)) * time.Millisecond) // load runs; not a wait for it
	n.KillAll()
	cancel()
	for range disks {
		if err := <-ends; err != nil {
			t.Fatal(err)
		}
	}
}

// startLoad loads all disks until stop is closed; when ctx ends requests are given up.
func startLoad(ctx context.Context, stop <-chan struct{}, t *testing.T, c *volume.Client, disks []disk, rng *rand.Rand) <-chan error {
	t.Helper()
	ends := make(chan error, len(disks))
	for _, d := range disks {
		v, seed := open(t, c, d.name), rng.Uint64()
		go func() {
			if err := d.checker.RunUntil(ctx, stop, v, workers, seed); err != nil {
				ends <- fmt.Errorf("%s: %w", d.name, err)
				return
			}
			ends <- nil
		}()
	}
	return ends
}

// TestKillOneByOne kills single peers under load. The load must not see an error, only pauses; the
// snapshots taken meanwhile must hold what they held.
func TestKillOneByOne(t *testing.T) {
	rng := seeded(t)
	n := testnode.Start(t)
	disks := prepare(t, n)
	c := n.Dial()
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stop := make(chan struct{})
	ends := startLoad(ctx, stop, t, c, disks, rng)
	snaps := &snapshots{of: disks[0]}
	for round := range rounds(20, 2000) {
		killOne(t, n, rng)
		if round%4 == 0 {
			snaps.take(t, c, round)
		}
		time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond) // kills at varied moments
	}
	// In peace: a write that was given up could still be under way when the blocks are checked.
	close(stop)
	for range disks {
		if err := <-ends; err != nil {
			t.Fatal(err)
		}
	}
	check(t, n, disks)
	snaps.check(t, c)
	n.Stop()
	n.Run()
	check(t, n, disks)
}

// killOne kills one of the composing and storing peers, and waits until its successor serves.
func killOne(t *testing.T, n *testnode.Node, rng *rand.Rand) {
	t.Helper()
	peers := n.Peers()
	if len(peers) == 0 {
		t.Fatal("no peer is bound")
	}
	victim := peers[rng.IntN(len(peers))]
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(testnode.Patience); ; time.Sleep(2 * time.Millisecond) {
		for _, p := range n.Peers() {
			if p.No == victim.No && p.Incarnation != victim.Incarnation {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s (pid %d) has no successor after %v", victim.Role, victim.PID, testnode.Patience)
		}
	}
}

// snapshots are those taken of one disk under load, with what each may hold.
type snapshots struct {
	of     disk
	names  []string
	bounds []load.Bounds
}

func (s *snapshots) take(t *testing.T, c *volume.Client, round int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testnode.Patience)
	defer cancel()
	name := fmt.Sprintf("%s-%d", s.of.name, round)
	low := s.of.checker.Low()
	if _, err := c.Snapshot(ctx, s.of.name, name); err != nil {
		t.Fatalf("snapshot %s under kills: %v", name, err)
	}
	s.names = append(s.names, name)
	s.bounds = append(s.bounds, load.Bounds{Low: low, High: s.of.checker.High()})
}

func (s *snapshots) check(t *testing.T, c *volume.Client) {
	t.Helper()
	for i, name := range s.names {
		if _, err := s.of.checker.CheckSnapshot(t.Context(), open(t, c, name), s.bounds[i]); err != nil {
			t.Fatalf("snapshot %s: %v", name, err)
		}
	}
}
