package inprocess

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"archipelago/internal/nbd/client"
	"archipelago/internal/node"
	"archipelago/test/load"
	"archipelago/test/testnode"
)

func start(t *testing.T, flags ...string) *testnode.Node {
	t.Helper()
	return testnode.StartWith(t, testnode.Options{Args: append([]string{"--in-process"}, flags...)})
}

// dial connects to an export until the test ends; the client doesn't connect again.
func dial(t *testing.T, n *testnode.Node, export string) *client.Client {
	t.Helper()
	u, err := url.Parse(n.URI)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(t.Context(), "unix", u.Query().Get("socket"), export, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func read(t *testing.T, n *testnode.Node, export string) []byte {
	t.Helper()
	c := dial(t, n, export)
	data := make([]byte, c.Size())
	if err := c.ReadAt(t.Context(), data, 0); err != nil {
		t.Fatal(err)
	}
	return data
}

// random fills a volume through NBD and returns what is in it.
func random(t *testing.T, n *testnode.Node, export string) []byte {
	t.Helper()
	c := dial(t, n, export)
	data := make([]byte, c.Size())
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	if err := c.WriteAt(t.Context(), data, 0); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestMainJob: volumes, snapshots and clones are what they are on any node, also after a stop.
func TestMainJob(t *testing.T) {
	n := start(t)
	peers := n.Peers()
	for _, p := range peers {
		if p.PID != n.Supervisor() {
			t.Errorf("role %s runs in process %d, the supervisor is %d", p.Role, p.PID, n.Supervisor())
		}
	}
	if len(peers) != len(n.Config().Roles) {
		t.Errorf("%d ports of roles", len(peers))
	}
	n.Vlmc("create", "vol", "--size", "9M")
	old := random(t, n, "vol")
	n.Vlmc("snapshot", "vol", "snap")
	now := random(t, n, "vol")
	n.Vlmc("clone", "snap", "clone")
	c := dial(t, n, "clone")
	if err := c.WriteAt(t.Context(), []byte("clone"), 5<<20); err != nil {
		t.Fatal(err)
	}
	cloned := slices.Clone(old)
	copy(cloned[5<<20:], "clone")
	check := func() {
		t.Helper()
		for name, want := range map[string][]byte{"vol": now, "snap": old, "clone": cloned} {
			if !bytes.Equal(read(t, n, name), want) {
				t.Errorf("%s has other content", name)
			}
		}
	}
	check()
	n.Stop()
	n.Run()
	check()
}

// TestRestartUnderLoad: each role is restarted again and again under a verified load; a client that
// never connects again sees pauses. vlmcd and mapperd leave requests to their successors then.
func TestRestartUnderLoad(t *testing.T) {
	n := start(t)
	n.Vlmc("create", "vol", "--size", "16M")
	c := dial(t, n, "vol")
	ctx, cancel := context.WithTimeout(t.Context(), 2*testnode.Patience)
	defer cancel()
	check := load.NewChecker(int(c.Size()/load.BlockSize), rand.Uint64())
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- check.RunUntil(ctx, stop, c, 8, rand.Uint64()) }()
	ctl, err := node.DialControl(n.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer ctl.Close()
	for range 8 {
		for _, role := range []string{"vlmcd", "mapperd", "nbdd", "blockerb", "blockerm", ""} {
			if err := ctl.Restart(ctx, role); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	if err := errors.Join(<-done, check.CheckAll(ctx, c)); err != nil {
		t.Error(err)
	}
}

// TestKill: the process is killed, and all roles with it; what was acknowledged is there afterwards.
func TestKill(t *testing.T) {
	n := start(t)
	n.Vlmc("create", "vol", "--size", "9M")
	want := random(t, n, "vol")
	n.KillAll()
	n.Run()
	if !bytes.Equal(read(t, n, "vol"), want) {
		t.Error("acknowledged writes are lost")
	}
}

// TestFuse: the role that mounts a file system runs beside the others, and gives the mount back.
func TestFuse(t *testing.T) {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("no /dev/fuse")
	}
	n := start(t, "--fuse")
	n.Vlmc("create", "vol", "--size", "9M")
	want := random(t, n, "vol")
	dir := n.Config().Role("fused").Mountpoint
	got, err := os.ReadFile(filepath.Join(dir, "vol"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file has other content: %v", err)
	}
	n.Stop()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left at %s: %v", dir, left)
	}
}
