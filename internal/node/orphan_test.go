package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
)

const fakeSupervisor = "fake-supervisor"

// playSupervisor runs the node of the directory with fake peers until it is killed.
func playSupervisor(dir string) int {
	cfg, err := config.ForDir(dir)
	if err != nil {
		return 1
	}
	opts := Options{Command: fakeCommand(nil, dir+"/events")}
	opts.fill()
	sink := newLogSink(io.Discard)
	if err := newSupervisor(cfg, opts, sink, slog.New(slog.NewTextHandler(sink, nil))).run(context.Background()); err != nil {
		return 1
	}
	return 0
}

// TestPeersDieWithTheSupervisor: kill -9 of the supervisor leaves no peer behind.
func TestPeersDieWithTheSupervisor(t *testing.T) {
	r := newRig(t, nil)
	cmd := exec.Command(os.Args[0], fakeSupervisor, r.cfg.Dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidfds := map[string]int{}
	for range r.cfg.Roles {
		for {
			what, role, pid := r.event()
			if what != "ready" {
				continue
			}
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			pidfds[role] = fd
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	for role, fd := range pidfds {
		if err := ended(fd); err != nil {
			t.Errorf("%s lives on: %v", role, err)
		}
	}
}

// ended waits for the end of the process that fd stands for.
func ended(fd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patience.Milliseconds()))
		switch {
		case err == unix.EINTR:
			continue
		case err == nil && n == 0:
			return fmt.Errorf("still there after %v", patience)
		}
		return err
	}
}
