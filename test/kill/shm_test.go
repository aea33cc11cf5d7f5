package kill

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/volume"
	"archipelago/test/testnode"
)

// ownShm says that this process runs in a mount name space whose /dev/shm is small.
const ownShm = "ARCHIPELAGO_TEST_SHM"

// TestFullShm: a full /dev/shm refuses what is new, with ENOSPC, and harms nothing that runs; when
// there is room again, everything goes on.
func TestFullShm(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small /dev/shm")
	}
	if os.Getenv(ownShm) != "" {
		fullShm(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullShm$", "-test.v", "-test.timeout=100s")
	cmd.Env = append(os.Environ(), ownShm+"=1", testnode.EnvBin+"="+filepath.Dir(testnode.Binary(t, "archipelago")))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// mountShm mounts a /dev/shm of its own, which goes with the process.
func mountShm(t *testing.T) {
	t.Helper()
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", "/dev/shm", "tmpfs", 0, "size=64m"); err != nil {
		t.Fatal(err)
	}
}

// fillShm takes all room in /dev/shm and returns the function that gives it back.
func fillShm(t *testing.T) (empty func()) {
	t.Helper()
	path := "/dev/shm/filler"
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := int64(1 << 20); size >= 4096; {
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		switch err := unix.Fallocate(int(f.Fd()), 0, st.Size(), size); {
		case errors.Is(err, unix.ENOSPC):
			size /= 2
		case err != nil && !errors.Is(err, unix.EINTR):
			t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

func fullShm(t *testing.T) {
	mountShm(t)
	n := testnode.Start(t)
	s := &storm{t: t, n: n, rng: seeded(t)}
	c := n.Dial()
	defer c.Close()
	d := s.disk(c, "vol", diskBlocks)
	dev, err := d.open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	d.checker.Forgive = forgiven(syscall.ENOSPC, syscall.ENOMEM)
	err = underLoad(t.Context(), d, dev, func() {
		time.Sleep(200 * time.Millisecond) // of load, so that it has what it needs
		for range strikes(3, 30) {
			empty := fillShm(t)
			newcomer(t, n)
			s.kill(pick(s.rng, n, 1))
			time.Sleep(300 * time.Millisecond) // successors that find no room
			empty()
			worksAgain(t, n)
		}
	})
	d.checker.Forgive = nil
	if err == nil {
		err = underLoad(t.Context(), d, dev, func() { time.Sleep(200 * time.Millisecond) }) // of load
	}
	if err = errors.Join(err, d.checker.CheckAll(t.Context(), dev)); err != nil {
		t.Fatal(err)
	}
	s.tally.stalls(d)
	t.Logf("%v", &s.tally)
}

// newcomer is a client that finds /dev/shm full: it may get what it asks for, or ENOSPC.
func newcomer(t *testing.T, n *testnode.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testnode.Patience)
	defer cancel()
	c, err := volume.Dial(ctx, n.Config(), volume.Options{Role: "newcomer"})
	if err == nil {
		defer c.Close()
		_, err = c.Create(ctx, "new", 1<<20, 0)
		if err == nil {
			err = c.Remove(ctx, "new")
		}
	}
	if err != nil && !forgiven(syscall.ENOSPC, syscall.ENOMEM)(err) {
		t.Errorf("a newcomer with a full /dev/shm: %v", err)
	}
	t.Logf("a newcomer with a full /dev/shm: %v", err)
}

// worksAgain makes a volume, writes to it and removes it.
func worksAgain(t *testing.T, n *testnode.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testnode.Patience)
	defer cancel()
	c := n.Dial()
	defer c.Close()
	err := clearAway(ctx, c, []string{"new"})
	if err == nil {
		_, err = c.Create(ctx, "new", 1<<20, 0)
	}
	if err == nil {
		var v *volume.Volume
		if v, err = c.Open(ctx, "new"); err == nil {
			err = v.WriteAt(ctx, make([]byte, 1<<20), 0)
		}
	}
	if err == nil {
		err = c.Remove(ctx, "new")
	}
	if err != nil {
		t.Errorf("with room in /dev/shm again: %v", err)
	}
}
