package node

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// TestStartAndStopInOrder: each role starts when the one before is ready, and they stop in reverse.
func TestStartAndStopInOrder(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	var got []string
	next := func() {
		what, role, _ := r.event()
		got = append(got, what+" "+role)
	}
	for range 2 * len(r.cfg.Roles) {
		next()
	}
	if uri := <-r.uri; uri != "nbd+unix:///?socket="+r.cfg.Role("nbdd").Socket {
		t.Errorf("URI %s", uri)
	}
	cancel()
	for range r.cfg.Roles {
		next()
	}
	if err := wait(t, end); err != nil {
		t.Errorf("a clean stop: %v", err)
	}
	want := []string{
		"start blockerb", "ready blockerb", "start blockerm", "ready blockerm", "start mapperd",
		"ready mapperd", "start vlmcd", "ready vlmcd", "start nbdd", "ready nbdd",
		"stop nbdd", "stop vlmcd", "stop mapperd", "stop blockerm", "stop blockerb",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	left, err := os.ReadDir(r.cfg.RuntimeDir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the runtime directory: %v %v", left, err)
	}
	for _, line := range []string{"role=vlmcd hello", `msg="peer is ready" role=vlmcd pid=`, "took="} {
		if !strings.Contains(r.log.String(), line) {
			t.Errorf("no %q in the log", line)
		}
	}
}

// TestRestart: a killed peer comes back, alone, and the listening socket outlives it.
func TestRestart(t *testing.T) {
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	before := r.ready()
	if err := syscall.Kill(before["nbdd"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// A client that connects while nobody serves waits in the queue of the socket.
	conn, err := net.Dial("unix", r.cfg.Role("nbdd").Socket)
	if err != nil {
		t.Errorf("connect while nbdd is down: %v", err)
	} else {
		conn.Close()
	}
	what, role, _ := r.event()
	if what != "start" || role != "nbdd" {
		t.Errorf("%s %s, wanted the start of nbdd", what, role)
	}
	if pid := r.until("ready", "nbdd"); pid == before["nbdd"] {
		t.Error("same pid")
	}
	cancel()
	if err := wait(t, end); err != nil {
		t.Errorf("stop after a restart: %v", err)
	}
	if log := r.log.String(); !strings.Contains(log, `msg="peer has died" role=nbdd`) ||
		!strings.Contains(log, `state="signal: killed"`) || !strings.Contains(log, "restarted=true") {
		t.Error("the log doesn't tell of the death")
	}
}

// TestRestartsGoOn: a peer that keeps dying once it is ready is started again and again.
func TestRestartsGoOn(t *testing.T) {
	r := newRig(t, map[string]string{"vlmcd": "fails-once-ready"})
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	for range 5 {
		r.until("start", "vlmcd")
	}
	cancel()
	if err := wait(t, end); err != nil {
		if e, ok := errors.AsType[*PeerError](err); !ok || e.Role != "vlmcd" {
			t.Errorf("%v", err)
		}
	}
	if !strings.Contains(r.log.String(), "status=3") {
		t.Error("the log doesn't tell the exit status")
	}
}

// TestWatchdog: a silent peer is killed and replaced; those that give signs of life are not.
func TestWatchdog(t *testing.T) {
	r := newRig(t, map[string]string{"mapperd": "silent"})
	// Long enough for a living peer on a machine that is busy with other tests.
	r.opts.Watchdog = 3 * time.Second
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	first := r.until("ready", "mapperd")
	if again := r.until("ready", "mapperd"); again == first {
		t.Error("same pid")
	}
	cancel()
	if err := wait(t, end); err != nil {
		t.Error(err)
	}
	log := r.log.String()
	if !strings.Contains(log, `msg="peer missed its watchdog and is killed" role=mapperd`) {
		t.Error("the log doesn't tell of the watchdog")
	}
	if strings.Contains(log, "killed\" role=blockerb") {
		t.Error("a living peer was killed")
	}
}

// TestFirstStartFails: the node doesn't start, what runs is stopped, and the reason comes out.
func TestFirstStartFails(t *testing.T) {
	r := newRig(t, map[string]string{"mapperd": "fails"})
	err := wait(t, r.start(t.Context()))
	e, ok := errors.AsType[*PeerError](err)
	if !ok || e.Role != "mapperd" || e.ExitCode() != 14 || !strings.Contains(err.Error(), "exit status 14") {
		t.Errorf("%v", err)
	}
	r.until("stop", "blockerm")
	r.until("stop", "blockerb")
	if strings.Contains(r.log.String(), "role=vlmcd") {
		t.Error("vlmcd was started")
	}
}

func TestNoSuchProgram(t *testing.T) {
	r := newRig(t, nil)
	r.opts.Command = installed
	t.Setenv("PATH", t.TempDir())
	err := wait(t, r.start(t.Context()))
	if err == nil || !strings.Contains(err.Error(), "role blockerb: did not start: program archip-filed is not installed") {
		t.Errorf("%v", err)
	}
}

// TestInterruptedStart: a signal while a role is starting stops what runs.
func TestInterruptedStart(t *testing.T) {
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	r.until("start", "mapperd")
	cancel()
	if err := wait(t, end); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	r.until("stop", "blockerb")
}

// TestUncleanStop: a peer that can't stop as it should makes the stop a failure; the others stop.
func TestUncleanStop(t *testing.T) {
	for behaviour, want := range map[string]string{
		"dirty": "role vlmcd: did not stop cleanly: exit status 1",
		"stuck": "role vlmcd: did not stop cleanly: signal: killed",
	} {
		t.Run(behaviour, func(t *testing.T) {
			r := newRig(t, map[string]string{"vlmcd": behaviour})
			r.opts.StopTimeout = 200 * time.Millisecond
			ctx, cancel := context.WithCancel(t.Context())
			end := r.start(ctx)
			r.ready()
			cancel()
			if err := wait(t, end); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			r.until("stop", "blockerb")
		})
	}
}

// TestForce: a second signal kills what doesn't stop.
func TestForce(t *testing.T) {
	r := newRig(t, map[string]string{"nbdd": "stuck"})
	force := make(chan struct{})
	r.opts.Force = force
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	r.ready()
	cancel()
	r.until("stop", "nbdd")
	close(force)
	if err := wait(t, end); !errors.Is(err, ErrForced) {
		t.Errorf("%v", err)
	}
}
