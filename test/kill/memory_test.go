package kill

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/nbd/client"
	"archipelago/test/testnode"
)

// starve keeps a process from getting any more memory. What it has it keeps.
func starve(t *testing.T, pid int) {
	t.Helper()
	for _, of := range []int{unix.RLIMIT_AS, unix.RLIMIT_DATA} {
		if err := unix.Prlimit(pid, of, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOutOfMemory: a peer that gets no more memory dies, or says ENOMEM, and its successor goes on;
// the load sees a pause, and nothing is lost.
func TestOutOfMemory(t *testing.T) {
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
	for _, role := range []string{"blockerb", "blockerm", "mapperd", "vlmcd", "nbdd"} {
		err := underLoad(ctx, s.left, dev, func() {
			victim := bound(t, n, role)
			starve(t, victim.PID)
			how := hunger(t, n, s, role)
			if bound(t, n, role).PID != victim.PID {
				how += "; it died"
			}
			_ = syscall.Kill(victim.PID, syscall.SIGKILL) // what has come through so far ends here
			bound(t, n, role)
			if err := clearAway(ctx, c, hungry(role)); err != nil {
				t.Error(err)
			}
			t.Logf("%s without memory: %s", role, how)
		})
		if err != nil {
			t.Fatalf("%s without memory: %v", role, err)
		}
	}
	netEnd()
	if err := s.failed(); err != nil {
		t.Fatal(err)
	}
	s.verify()
}

// hunger makes work that needs memory: clients, volumes, snapshots. It returns how often that
// failed, each time with an error that says why.
func hunger(t *testing.T, n *testnode.Node, s *storm, role string) string {
	t.Helper()
	failed, done := 0, 0
	count := func(err error) {
		if err == nil {
			done++
		} else if failed++; !forgiven(syscall.ENOMEM, syscall.ENOSPC, syscall.EIO, syscall.EHOSTDOWN)(err) &&
			!errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s without memory: %v", role, err)
		}
	}
	for i := range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		c := n.Dial()
		name := fmt.Sprint("hungry-", role, i)
		_, err := c.Create(ctx, name, 64<<20, 0)
		count(err)
		if err == nil {
			v, err := c.Open(ctx, name)
			if err == nil {
				err = v.WriteAt(ctx, make([]byte, 4<<20), 0)
			}
			count(err)
			count(c.Remove(ctx, name))
		}
		if nbd, err := client.Dial(ctx, "unix", socket(t, n), s.right.name, client.Options{}); err == nil {
			count(nbd.ReadAt(ctx, make([]byte, 2<<20), 0))
			_ = nbd.Close()
		}
		_ = c.Close()
		cancel()
	}
	return fmt.Sprintf("%d calls failed, %d succeeded", failed, done)
}

// hungry are the names that hunger uses.
func hungry(role string) (names []string) {
	for i := range 6 {
		names = append(names, fmt.Sprint("hungry-", role, i))
	}
	return names
}
