package nbd

import (
	"context"
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/nbd/client"
	"archipelago/internal/node"
	"archipelago/test/load"
	"archipelago/test/testnode"
	"archipelago/xseg"
)

// TestClientThatReconnectsSurvivesKills: nbdd is killed again and again under a verified load; a
// client that connects again sees pauses, and every acknowledged write.
func TestClientThatReconnectsSurvivesKills(t *testing.T) {
	n := testnode.Start(t)
	rng := seeded(t)
	n.Vlmc("create", "vol", "--size", "16M")
	ctx, cancel := context.WithTimeout(t.Context(), 2*testnode.Patience)
	defer cancel()
	c, err := client.Dial(ctx, "unix", socket(t, n), "vol", client.Options{Redial: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	check := load.NewChecker(int(c.Size()/load.BlockSize), rng.Uint64())
	loading, stop := context.WithCancel(ctx)
	defer stop()
	done, seed := make(chan error, 1), rng.Uint64()
	go func() { done <- check.Run(loading, c, 8, seed) }()
	for range 8 {
		killServer(t, n, rng)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := check.CheckAll(ctx, c); err != nil {
		t.Error(err)
	}
}

// killServer kills nbdd at some moment and waits until its successor serves.
func killServer(t *testing.T, n *testnode.Node, rng *rand.Rand) {
	t.Helper()
	time.Sleep(time.Duration(rng.IntN(30000)) * time.Microsecond) // kills at varied moments
	victim := server(t, n, 0)
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
	server(t, n, victim.Incarnation)
}

// server waits for an nbdd of another incarnation.
func server(t *testing.T, n *testnode.Node, old uint64) xseg.PortInfo {
	t.Helper()
	for deadline := time.Now().Add(testnode.Patience); ; time.Sleep(2 * time.Millisecond) {
		for _, p := range n.Peers() {
			if p.Role == "nbdd" && p.Incarnation != old {
				return p
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no nbdd after %v", testnode.Patience)
		}
	}
}

// TestKillsInsideRestarts: a server is killed while it hands its clients over, or its successor while
// it takes them. What was kept is used once or never: the client either goes on or connects again.
func TestKillsInsideRestarts(t *testing.T) {
	n := testnode.Start(t)
	rng := seeded(t)
	n.Vlmc("create", "vol", "--size", "16M")
	ctx, cancel := context.WithTimeout(t.Context(), 2*testnode.Patience)
	defer cancel()
	c, err := client.Dial(ctx, "unix", socket(t, n), "vol", client.Options{Redial: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	check := load.NewChecker(int(c.Size()/load.BlockSize), rng.Uint64())
	stop, done, seed := make(chan struct{}), make(chan error, 1), rng.Uint64()
	go func() { done <- check.RunUntil(ctx, stop, c, 8, seed) }()
	for range 12 {
		control, err := node.DialControl(n.Config())
		if err != nil {
			t.Fatal(err)
		}
		restarted := make(chan error, 1)
		go func() { restarted <- control.Restart(ctx, "nbdd") }()
		killServer(t, n, rng)
		var failed *node.RestartError // it may have been the successor that was killed
		if err := <-restarted; err != nil && !errors.As(err, &failed) {
			t.Error(err)
		}
		_ = control.Close()
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := check.CheckAll(ctx, c); err != nil {
		t.Error(err)
	}
}
