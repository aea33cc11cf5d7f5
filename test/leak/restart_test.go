package leak

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/node"
	"archipelago/internal/volume"
	"archipelago/test/load"
	"archipelago/test/testnode"
)

const (
	diskBlocks = 2048 // 8 MiB: two objects
	workers    = 4
)

// underLoad runs f while workers write and check a volume, and fails the test at the first error
// of one, or a wrong block.
func underLoad(t *testing.T, n *testnode.Node, f func()) {
	t.Helper()
	c := n.Dial()
	defer c.Close()
	if _, err := c.Create(t.Context(), "loaded", diskBlocks*load.BlockSize, 0); err != nil {
		t.Fatal(err)
	}
	var v *volume.Volume
	v, err := c.Open(t.Context(), "loaded")
	if err != nil {
		t.Fatal(err)
	}
	checker := load.NewChecker(diskBlocks, 7)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- checker.RunUntil(t.Context(), stop, v, workers, 1) }()
	f()
	close(stop)
	err = <-done
	if err := errors.Join(err, checker.CheckAll(t.Context(), v)); err != nil {
		t.Error(err)
	}
}

func control(t *testing.T, n *testnode.Node) *node.Control {
	t.Helper()
	c, err := node.DialControl(n.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), testnode.Patience)
	t.Cleanup(cancel)
	return ctx
}

func pids(t *testing.T, c *node.Control) map[string]int {
	t.Helper()
	states, err := c.Roles(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{}
	for _, s := range states {
		if !s.Ready {
			t.Errorf("role %s: %+v", s.Role, s)
		}
		pids[s.Role] = s.PID
	}
	return pids
}

// TestRestartsUnderLoad: each role by itself, then all one by one; the load sees pauses alone.
func TestRestartsUnderLoad(t *testing.T) {
	n := testnode.Start(t)
	c := control(t, n)
	before := pids(t, c)
	underLoad(t, n, func() {
		c.Progress = func(s node.RestartStep) {
			if s.Done {
				t.Logf("restart of %s: %v", s.Role, s.Took.Round(time.Millisecond))
			}
		}
		for _, r := range n.Config().Roles {
			if err := c.Restart(patience(t), r.Name); err != nil {
				t.Error(err)
			}
		}
		if err := c.Restart(patience(t), ""); err != nil {
			t.Error(err)
		}
	})
	for role, pid := range pids(t, c) {
		if pid == before[role] {
			t.Errorf("role %s is the same process", role)
		}
	}
}

// TestPeersThatStandStill: every peer is stopped (SIGSTOP) for longer than its watchdog allows; all
// are killed and replaced, and the load sees a pause.
func TestPeersThatStandStill(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as the watchdog waits")
	}
	n := testnode.Start(t)
	c := control(t, n)
	before := pids(t, c)
	underLoad(t, n, func() {
		for _, pid := range before {
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Error(err)
			}
		}
		// They don't continue by themselves, so whoever is ready again is another process.
		waitFor(t, "all roles to be replaced", func() bool {
			states, err := c.Roles(patience(t))
			for _, s := range states {
				if err != nil || !s.Ready || s.PID == before[s.Role] {
					return false
				}
			}
			return err == nil
		})
	})
	for _, s := range states(t, c) {
		if s.Restarts != 1 {
			t.Errorf("role %s was restarted %d times", s.Role, s.Restarts)
		}
	}
}

func states(t *testing.T, c *node.Control) []node.RoleState {
	t.Helper()
	states, err := c.Roles(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	return states
}

// TestSupervisorKilled: with the supervisor its peers end, and the next run recovers.
func TestSupervisorKilled(t *testing.T) {
	n := testnode.Start(t)
	c := n.Dial()
	if _, err := c.Create(t.Context(), "v", 1<<20, 0); err != nil {
		t.Fatal(err)
	}
	v, err := c.Open(t.Context(), "v")
	if err != nil {
		t.Fatal(err)
	}
	data := []byte("acknowledged, never flushed")
	if err := v.WriteAt(t.Context(), data, 4096); err != nil {
		t.Fatal(err)
	}
	c.Close()
	left := n.Peers()
	n.KillSupervisor()
	for _, p := range left {
		waitFor(t, "peer "+p.Role+" to end with its supervisor", func() bool {
			return errors.Is(syscall.Kill(p.PID, 0), syscall.ESRCH) || isZombie(p.PID)
		})
	}
	n.Run()
	c = n.Dial()
	defer c.Close()
	if v, err = c.Open(t.Context(), "v"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(data))
	if err := v.ReadAt(t.Context(), got, 4096); err != nil || string(got) != string(data) {
		t.Errorf("%q, %v", got, err)
	}
}

// waitFor waits for what another process does.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(testnode.Patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}
