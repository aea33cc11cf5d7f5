package leak

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/volume"
	"archipelago/test/testnode"
)

const (
	// More looks within ten seconds would be kept out of the log.
	//
	// settleTries and settlePause bound how long what is collected in the background may take: the
	// caches of descriptors and chunks are not waited for, they are part of the state before.
	settleTries = 7
	settlePause = 500 * time.Millisecond
)

// pause is the time between two looks; what is waited for has no other sign.
func pause() { time.Sleep(settlePause) }

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// cycles is how often: some hundred in the ordinary run, ten thousand in the soak.
func cycles(short int) int {
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		return 10000
	}
	return short
}

// life is one cycle: create, open, write, snapshot now and then, close, remove, by a client of its
// own now and then.
func life(t *testing.T, n *testnode.Node, c *volume.Client, i int) {
	t.Helper()
	if i%10 == 0 {
		c = n.Dial()
		defer c.Close()
	}
	name := fmt.Sprintf("cycle-%d", i)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("cycle %d: %v", i, err)
		}
	}
	ctx := t.Context()
	_, err := c.Create(ctx, name, 256<<10, 64<<10)
	must(err)
	v, err := c.Open(ctx, name)
	must(err)
	must(v.WriteAt(ctx, []byte("some data"), 4096))
	if i%5 == 0 {
		_, err := c.Snapshot(ctx, name, name+"-snap")
		must(err)
		must(v.WriteAt(ctx, []byte("other data"), 4096))
		must(c.Remove(ctx, name+"-snap"))
	}
	must(c.CloseVolume(ctx, name))
	must(c.Remove(ctx, name))
}

// TestVolumesLeaveNothing: after volumes and clients have come and gone, a node uses what it used.
func TestVolumesLeaveNothing(t *testing.T) {
	n := testnode.Start(t)
	c := n.Dial()
	defer c.Close()
	for i := range 60 { // what is made once and kept: pools, caches
		life(t, n, c, i)
	}
	before := measure(t, n)
	total := cycles(100)
	for i := range total {
		life(t, n, c, 1000+i)
	}
	now, grown := settle(t, n, before.plus(collectable(int64(total), int64(total/5))))
	if len(grown) > 0 {
		t.Errorf("after %d cycles there is more of:\n%s", total, strings.Join(grown, "\n"))
	}
	t.Logf("after %d cycles: %v", total, now)
}

// TestRestartsLeaveNothing: neither orderly restarts nor kills leave anything, in the supervisor, in
// the segment, or in those peers that stay.
func TestRestartsLeaveNothing(t *testing.T) {
	n := testnode.Start(t)
	client := n.Dial()
	defer client.Close()
	c := control(t, n)
	roles := n.Config().Roles
	round := func(i int) {
		role := roles[i%len(roles)].Name
		if i%2 == 0 {
			if err := c.Restart(patience(t), role); err != nil {
				t.Fatal(err)
			}
		} else {
			killAndWait(t, n, role)
		}
		life(t, n, client, i)
	}
	for i := range 2 * len(roles) {
		round(i)
	}
	before := measure(t, n)
	total := cycles(40)
	for i := range total {
		round(1000 + i)
	}
	allowed := before.plus(collectable(int64(total), int64(total/5))).plus(interrupted(int64(total)))
	now, grown := settle(t, n, allowed)
	if len(grown) > 0 {
		t.Errorf("after %d restarts there is more of:\n%s", total, strings.Join(grown, "\n"))
	}
	t.Logf("after %d restarts: %v", total, now)
}

// killAndWait kills a role and waits for its successor.
func killAndWait(t *testing.T, n *testnode.Node, role string) {
	t.Helper()
	c := control(t, n)
	defer c.Close()
	old := pids(t, c)[role]
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a successor of "+role, func() bool {
		for _, s := range states(t, c) {
			if s.Role == role {
				return s.Ready && s.PID != old
			}
		}
		return false
	})
}
