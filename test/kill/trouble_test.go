package kill

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/volume"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
	"archipelago/test/load"
	"archipelago/test/testnode"
)

// rule is one of testdata/trouble.go.txt.
type rule struct {
	Prefix string        `json:",omitempty"`
	Kind   blocker.Kind  `json:",omitempty"`
	Chance float64       `json:",omitempty"`
	Delay  time.Duration `json:",omitempty"`
	Errno  syscall.Errno `json:",omitempty"`
	Late   bool          `json:",omitempty"`
}

// sick is a node whose stores misbehave on demand.
type sick struct {
	*testnode.Node
	t   *testing.T
	dir string
}

func startSick(t *testing.T, bin string) *sick {
	dir := testnode.TempDir(t)
	n := testnode.StartWith(t, testnode.Options{Bin: bin, Env: []string{"ARCHIPELAGO_TROUBLE=" + dir}})
	return &sick{n, t, dir}
}

// rules puts rules into force at a store and waits until they are.
func (s *sick) rules(role string, rules ...rule) {
	s.t.Helper()
	text, err := json.Marshal(append([]rule{}, rules...))
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, role), text, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	seen := filepath.Join(s.dir, role+".seen")
	for deadline := time.Now().Add(testnode.Patience); ; time.Sleep(time.Millisecond) {
		if got, err := os.ReadFile(seen); err == nil && string(got) == string(text) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s doesn't take its rules", role)
		}
	}
}

// forgiven are the errors that a client may see of a store that fails.
func forgiven(errnos ...syscall.Errno) func(error) bool {
	return func(err error) bool {
		for _, e := range errnos {
			if mapper.Errno(err) == e {
				return true
			}
		}
		return false
	}
}

// underLoad runs f while a disk is under load, and returns how the load ended. Nothing of it is
// under way any more then.
func underLoad(ctx context.Context, d *disk, dev load.Device, f func()) error {
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- d.checker.RunUntil(ctx, stop, dev, workers, 1) }()
	f()
	close(stop)
	return <-done
}

// TestStoreFailsNowAndThen: a store that returns EIO now and then, before or after it has done what
// it was asked for, costs the requests that it hits, and nothing that was acknowledged.
func TestStoreFailsNowAndThen(t *testing.T) {
	n := startSick(t, sickBin(t))
	s := &storm{t: t, n: n.Node, rng: seeded(t)}
	c := n.Dial()
	defer c.Close()
	d := s.disk(c, "vol", diskBlocks)
	dev, err := d.open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var failures atomic.Int64
	d.checker.Forgive = func(err error) bool {
		failures.Add(1)
		return forgiven(syscall.EIO)(err)
	}
	taken := map[string]load.Bounds{}
	for round := range strikes(4, 200) {
		name := "snap" + string(rune('a'+round%26))
		err := underLoad(t.Context(), d, dev, func() {
			for _, role := range []string{"blockerb", "blockerm"} {
				n.rules(role, rule{Chance: 0.02, Errno: syscall.EIO}, rule{Chance: 0.02, Errno: syscall.EIO, Late: true})
			}
			snapshotInTrouble(t, c, d, name, taken)
			if round%2 == 1 {
				s.kill(pick(s.rng, n.Node, 1))
			}
			time.Sleep(500 * time.Millisecond) // of load in trouble
			n.rules("blockerb")
			n.rules("blockerm")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	d.checker.Forgive = nil
	checkAfterTrouble(t, c, d, dev, taken)
	n.Vlmc("check")
	t.Logf("%d requests failed, %d snapshots taken; %v", failures.Load(), len(taken), &s.tally)
}

// snapshotInTrouble asks for a snapshot, which may fail.
func snapshotInTrouble(t *testing.T, c *volume.Client, d *disk, name string, taken map[string]load.Bounds) {
	t.Helper()
	low := d.checker.Low()
	_, err := c.Snapshot(t.Context(), d.name, name)
	if err != nil && !forgiven(syscall.EIO, syscall.EEXIST)(err) {
		t.Fatalf("snapshot of a store that fails: %v", err)
	}
	if err == nil {
		taken[name] = load.Bounds{Low: low, High: d.checker.High()}
	}
}

// checkAfterTrouble: what was acknowledged is there, snapshots are whole, and a flush succeeds.
func checkAfterTrouble(t *testing.T, c *volume.Client, d *disk, dev load.Device, taken map[string]load.Bounds) {
	t.Helper()
	if err := d.checker.CheckAll(t.Context(), dev); err != nil {
		t.Fatal(err)
	}
	for name, bounds := range taken {
		v, err := c.Open(t.Context(), name)
		if err == nil {
			_, err = d.checker.CheckSnapshot(t.Context(), v, bounds)
		}
		if err != nil {
			t.Fatalf("snapshot %s: %v", name, err)
		}
	}
	if err := dev.Flush(t.Context()); err != nil {
		t.Errorf("flush when the store works again: %v", err)
	}
}

// TestStoreHangs: a store that answers nothing for a long while is a pause.
func TestStoreHangs(t *testing.T) {
	hang := 2 * time.Second
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		hang = 20 * time.Second
	}
	for _, role := range []string{"blockerb", "blockerm"} {
		t.Run(role, func(t *testing.T) {
			n := startSick(t, sickBin(t))
			s := &storm{t: t, n: n.Node, rng: seeded(t)}
			c := n.Dial()
			defer c.Close()
			d := s.disk(c, "vol", diskBlocks)
			dev, err := d.open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			pids := n.Peers()
			err = underLoad(t.Context(), d, dev, func() {
				n.rules(role, rule{Delay: hang})
				time.Sleep(200 * time.Millisecond) // of load that comes to rest
				n.rules(role)                      // for what comes later
				time.Sleep(hang)                   // it hangs, and goes on
				if err := dev.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.checker.CheckAll(t.Context(), dev); err != nil {
				t.Fatal(err)
			}
			sameProcesses(t, n.Node, pids)
			s.tally.stalls(d)
			t.Logf("%v", &s.tally)
		})
	}
}

// TestStoppedPeers: a peer that stands still for less than its watchdog allows is a pause; nobody is
// restarted for it.
func TestStoppedPeers(t *testing.T) {
	stop := 2 * time.Second
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		stop = 8 * time.Second
	}
	n := testnode.Start(t)
	s := &storm{t: t, n: n, rng: seeded(t)}
	c := n.Dial()
	defer c.Close()
	d := s.disk(c, "vol", diskBlocks)
	dev, err := d.open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	peers := n.Peers()
	err = underLoad(t.Context(), d, dev, func() {
		for _, p := range peers {
			_ = syscall.Kill(p.PID, syscall.SIGSTOP)
			time.Sleep(stop / 2) // it stands still
			_ = syscall.Kill(p.PID, syscall.SIGCONT)
		}
	})
	if err = errors.Join(err, d.checker.CheckAll(t.Context(), dev)); err != nil {
		t.Fatal(err)
	}
	sameProcesses(t, n, peers)
	s.tally.stalls(d)
	t.Logf("%v", &s.tally)
}
