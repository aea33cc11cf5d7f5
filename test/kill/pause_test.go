package kill

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"archipelago/test/load"
	"archipelago/test/testnode"
	"archipelago/xseg"
)

// TestPauses kills each role by itself, when the node is at ease again, and tells the longest that
// a client had to wait. The times are told, not judged: they are those of the machine, too.
func TestPauses(t *testing.T) {
	n := testnode.Start(t)
	s := newStorm(t, n)
	c := n.Dial()
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	netEnd := s.startNet(ctx, cancel)
	dev, err := s.left.open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	done, seed := make(chan error, 1), s.rng.Uint64()
	go func() { done <- s.left.checker.Run(ctx, dev, workers, seed) }()
	for _, role := range []string{"blockerb", "blockerm", "mapperd", "vlmcd", "nbdd"} {
		var xsegPauses, nbdPauses []time.Duration
		for range strikes(10, 100) / 5 {
			rest(t, s)
			s.left.timed.Longest()
			s.net.timed.Longest()
			killRole(t, n, role)
			rest(t, s)
			for _, of := range []struct {
				timed *load.Timed
				to    *[]time.Duration
			}{{&s.left.timed, &xsegPauses}, {&s.net.timed, &nbdPauses}} {
				longest := ended(t, s, of.timed)
				*of.to = append(*of.to, longest.Round(time.Millisecond))
			}
		}
		slices.Sort(xsegPauses)
		slices.Sort(nbdPauses)
		t.Logf("kill -9 of %s: longest call over xseg %v, over NBD %v", role, xsegPauses, nbdPauses)
	}
	netEnd()
	cancel()
	if err := errors.Join(<-done, s.failed()); err != nil {
		t.Fatal(err)
	}
}

// ended returns the longest call once one has ended.
func ended(t *testing.T, s *storm, of *load.Timed) time.Duration {
	t.Helper()
	for {
		if longest, calls := of.Longest(); calls > 0 {
			return longest
		}
		rest(t, s)
	}
}

// rest lasts until the peers have served for so long that the supervisor starts them at once when
// they die, and no load waits for something.
func rest(t *testing.T, s *storm) {
	t.Helper()
	time.Sleep(700 * time.Millisecond) // more than node.servedWell; what is waited for is time itself
	if err := s.failed(); err != nil {
		t.Fatal(err)
	}
}

func killRole(t *testing.T, n *testnode.Node, role string) {
	t.Helper()
	victim := bound(t, n, role)
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// bound waits until a role is bound and returns its port.
func bound(t *testing.T, n *testnode.Node, role string) xseg.PortInfo {
	t.Helper()
	for deadline := time.Now().Add(testnode.Patience); ; time.Sleep(2 * time.Millisecond) {
		for _, p := range n.Peers() {
			if p.Role == role {
				return p
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s after %v", role, testnode.Patience)
		}
	}
}
