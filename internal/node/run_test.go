package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
	"archipelago/xseg"
)

const fakeOrphan = "fake-orphan"

// playOrphan binds the mapper's port of a segment and lives on.
func playOrphan(segment, events string) int {
	seg, err := xseg.Join(segment)
	if err != nil {
		return 1
	}
	loop, err := seg.NewLoop()
	if err != nil {
		return 1
	}
	if _, err := loop.Bind(context.Background(), 1001, xseg.BindOptions{Role: "mapperd"}); err != nil {
		return 1
	}
	say(events, fmt.Sprintf("bound mapperd %d", os.Getpid()))
	// So that a failed test leaves nothing behind for good.
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	if loop.Run(ctx) != nil {
		return 1
	}
	return 0
}

// runNode runs the whole of a node with fake peers.
func (r *rig) runNode(ctx context.Context) <-chan error {
	r.opts.Log = &r.log
	end := make(chan error, 1)
	go func() { end <- Run(ctx, r.cfg, r.opts) }()
	return end
}

// TestRunLeavesNothing: after a clean stop no segment, socket, lock or runtime directory is left.
func TestRunLeavesNothing(t *testing.T) {
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	end := r.runNode(ctx)
	r.ready()
	seg, err := xseg.Join(r.cfg.SegmentName)
	if err != nil {
		t.Fatal(err)
	}
	if seg.RuntimeDir() != r.cfg.RuntimeDir {
		t.Errorf("runtime dir %s", seg.RuntimeDir())
	}
	if err := seg.Leave(); err != nil {
		t.Error(err)
	}
	if e, ok := errors.AsType[*LockedError](Run(ctx, r.cfg, Options{Log: &r.log})); !ok || e.PID != os.Getpid() {
		t.Errorf("second node: %v", e)
	}
	cancel()
	if err := wait(t, end); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{r.cfg.RuntimeDir, "/dev/shm/" + r.cfg.SegmentName} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
	if holder(r.cfg) != 0 {
		t.Error("the lock is left")
	}
}

// TestRunAfterACrash: what a killed supervisor leaves in the runtime directory is in nobody's way.
func TestRunAfterACrash(t *testing.T) {
	r := newRig(t, nil)
	socket := r.cfg.Role("nbdd").Socket
	for _, path := range []string{r.cfg.RuntimeDir + "/notify.1", r.cfg.RuntimeDir + "/notify.77", socket} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
	}
	makeSegment(t, r.cfg)
	ctx, cancel := context.WithCancel(t.Context())
	end := r.runNode(ctx)
	r.ready()
	if _, err := os.Stat(r.cfg.RuntimeDir + "/notify.77"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a stale socket is left: %v", err)
	}
	cancel()
	if err := wait(t, end); err != nil {
		t.Error(err)
	}
}

func makeSegment(t *testing.T, cfg *config.Config) {
	t.Helper()
	if err := createSegment(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { destroy(cfg.SegmentName) })
}

// TestOrphansDieFirst: the segment of a killed predecessor goes only when its peers have gone.
func TestOrphansDieFirst(t *testing.T) {
	r := newRig(t, nil)
	makeSegment(t, r.cfg)
	orphan := exec.Command(os.Args[0], fakeOrphan, r.cfg.SegmentName, filepath.Join(r.cfg.Dir, "events"))
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	reaped := make(chan struct{})
	go func() {
		_ = orphan.Wait() // "signal: killed"
		close(reaped)
	}()
	r.until("bound", "mapperd")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := clearStale(ctx, r.cfg, slog.New(slog.NewTextHandler(&r.log, nil))); err != nil {
		t.Fatal(err)
	}
	<-reaped
	if s := orphan.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != unix.SIGKILL {
		t.Errorf("the orphan ended with %v", orphan.ProcessState)
	}
	if _, err := xseg.Join(r.cfg.SegmentName); !errors.Is(err, xseg.ErrNoSegment) {
		t.Errorf("the segment is left: %v", err)
	}
	if !strings.Contains(r.log.String(), `msg="waiting for an orphaned peer to die" role=mapperd`) {
		t.Errorf("the log doesn't tell:\n%s", r.log.String())
	}
}

// TestForeignSegment: a segment that can't be read goes if nobody uses it, and stays if somebody
// does.
func TestForeignSegment(t *testing.T) {
	r := newRig(t, nil)
	path := "/dev/shm/" + r.cfg.SegmentName
	if err := os.WriteFile(path, make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(path) })
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 1 << 40, Len: 1}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(&r.log, nil))
	if err := clearStale(t.Context(), r.cfg, log); err == nil || !strings.Contains(err.Error(), "still uses it") {
		t.Errorf("in use: %v", err)
	}
	f.Close()
	if err := clearStale(t.Context(), r.cfg, log); err != nil {
		t.Errorf("not in use: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
}

// TestStatus: a node that doesn't run is a report; one with some peers dead says which.
func TestStatus(t *testing.T) {
	r := newRig(t, nil)
	rep, err := Status(r.cfg)
	if err != nil || rep.Running || rep.Joined || len(rep.Roles) != 5 || rep.Roles[0].State != StateDown {
		t.Errorf("%+v, %v", rep, err)
	}
	makeSegment(t, r.cfg)
	seg, err := xseg.Join(r.cfg.SegmentName)
	if err != nil {
		t.Fatal(err)
	}
	defer seg.Leave()
	loop, err := seg.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	for _, no := range []xseg.PortNo{500, 1003} {
		if _, err := loop.Bind(t.Context(), no, xseg.BindOptions{Role: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if rep, err = Status(r.cfg); err != nil || rep.Running || !rep.Joined || rep.Clients != 1 {
		t.Errorf("%+v, %v", rep, err)
	}
	for _, role := range rep.Roles {
		if (role.State == StateRunning) != (role.Role == "vlmcd") {
			t.Errorf("%+v", role)
		}
	}
}
