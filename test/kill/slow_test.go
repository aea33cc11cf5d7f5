package kill

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

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
	dev, err := s.left.open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	n.rules("blockerb", rule{Kind: blocker.Write, Chance: 0.03, Delay: 150 * time.Millisecond},
		rule{Kind: blocker.Read, Chance: 0.03, Delay: 150 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	netEnd := s.startNet(ctx, cancel)
	err = underLoad(ctx, s.left, dev, func() { s.killServers(strikes(24, 2000)) })
	netEnd()
	if err = errors.Join(err, s.failed()); err != nil {
		t.Fatalf("%d killed: %v", s.tally.kills, err)
	}
	n.rules("blockerb")
	checkBoth(t, s, dev)
	s.tally.stalls(s.net, s.left)
	t.Logf("%v", &s.tally)
}

// killServers kills the NBD server, and now and then vlmcd.
func (s *storm) killServers(n int) {
	for range n {
		role := "nbdd"
		if s.rng.IntN(4) == 0 {
			role = "vlmcd"
		}
		s.kill([]xseg.PortInfo{bound(s.t, s.n, role)})
		// At varied moments, but with time to come to rest: a client that repeats a request waits for
		// the end of what the dead had begun.
		time.Sleep(time.Duration(100+s.rng.IntN(500)) * time.Millisecond)
		if s.failed() != nil {
			return
		}
	}
}

func checkBoth(t *testing.T, s *storm, left load.Device) {
	t.Helper()
	c := s.n.Dial()
	defer c.Close()
	net, err := c.Open(t.Context(), s.net.name)
	if err == nil {
		err = s.net.checker.CheckAll(t.Context(), net)
	}
	if err = errors.Join(err, s.left.checker.CheckAll(t.Context(), left)); err != nil {
		t.Fatal(err)
	}
}
