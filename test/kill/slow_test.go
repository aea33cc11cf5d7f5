package kill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"archipelago/internal/volume"
	"archipelago/peers/blocker"
	"archipelago/test/load"
	"archipelago/test/testnode"
	"archipelago/xseg"
)

// TestSlowStorm: the store is slow with some reads and writes while the NBD server and vlmcd die
// again and again. What the dead had asked for is still under way when clients repeat it, and when
// others get memory: it must not land late, nor in what isn't its own any more.
func TestSlowStorm(t *testing.T) {
	bin := os.Getenv(testnode.EnvBin)
	if os.Getenv(planted) == "" {
		bin = sickBin(t)
	}
	n := startSick(t, bin)
	s := &storm{t: t, n: n.Node, rng: seeded(t)}
	c := n.Dial()
	defer c.Close()
	s.net, s.left = s.disk(c, "net", netBlocks), s.disk(c, "left", diskBlocks)
	s.right = s.disk(c, "hasty", netBlocks)
	dev, err := s.left.open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	n.rules("blockerb", rule{Kind: blocker.Write, Chance: 0.03, Delay: 150 * time.Millisecond},
		rule{Kind: blocker.Read, Chance: 0.03, Delay: 150 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	netEnd := s.startNet(ctx, cancel)
	hastyCtx, hastyCancel := context.WithCancel(ctx)
	hasty, rng := make(chan error, 1), s.child()
	go func() {
		err := s.hasty(hastyCtx, rng)
		if err != nil {
			s.fail(err, cancel)
		}
		hasty <- err
	}()
	err = underLoad(ctx, s.left, dev, func() { s.killServers(strikes(24, 2000)) })
	netEnd()
	hastyCancel()
	<-hasty
	if err = errors.Join(err, s.failed()); err != nil {
		t.Fatalf("%d killed: %v", s.tally.kills, err)
	}
	n.rules("blockerb")
	checkAll(t, s, dev)
	s.tally.stalls(s.net, s.left)
	t.Logf("%v", &s.tally)
}

// hasty is a row of clients that leave in the middle of their requests. What one of them had asked
// for ends before the next one's requests begin: else an old write could land on a new one.
func (s *storm) hasty(ctx context.Context, rng *rand.Rand) error {
	for ctx.Err() == nil {
		err := s.haste(ctx, rng)
		if errors.Is(err, xseg.ErrNotRunning) {
			continue // a tool gives a peer that starts again five seconds, and says so then
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("hasty client: %w", err)
		}
	}
	return nil
}

func (s *storm) haste(ctx context.Context, rng *rand.Rand) error {
	c, err := volume.Dial(ctx, s.n.Config(), volume.Options{Role: "hasty"})
	if err != nil {
		return err
	}
	defer c.Close()
	dev, err := s.right.open(ctx, c)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, time.Duration(20+rng.IntN(200))*time.Millisecond)
	defer cancel()
	return s.right.checker.Run(short, dev, 2*workers, rng.Uint64())
}

// killServers kills the NBD server, and now and then vlmcd.
func (s *storm) killServers(n int) {
	for range n {
		role := "nbdd"
		if s.rng.IntN(4) == 0 {
			role = "vlmcd"
		}
		victim := bound(s.t, s.n, role)
		// At varied moments, but with time to serve: a client that repeats a request waits for the end
		// of what the dead had begun.
		time.Sleep(time.Duration(100+s.rng.IntN(500)) * time.Millisecond)
		s.kill([]xseg.PortInfo{victim})
		if s.failed() != nil {
			return
		}
	}
}

func checkAll(t *testing.T, s *storm, left load.Device) {
	t.Helper()
	c := s.n.Dial()
	defer c.Close()
	var err error
	for _, d := range []*disk{s.net, s.right} {
		var v *volume.Volume
		if v, err = c.Open(t.Context(), d.name); err == nil {
			err = d.checker.CheckAll(t.Context(), v)
		}
		if err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
	}
	if err := s.left.checker.CheckAll(t.Context(), left); err != nil {
		t.Fatalf("%s: %v", s.left.name, err)
	}
}
