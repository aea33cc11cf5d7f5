package node

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// dial connects to the supervisor of a rig until the test ends.
func (r *rig) dial() *Control {
	r.t.Helper()
	c, err := DialControl(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

func (r *rig) patience() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.t.Cleanup(cancel)
	return ctx
}

func TestNoSupervisor(t *testing.T) {
	r := newRig(t, nil)
	if _, err := DialControl(r.cfg); !errors.Is(err, ErrNoSupervisor) {
		t.Errorf("nobody there: %v", err)
	}
	// A killed supervisor leaves the file.
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(r.cfg.RuntimeDir, controlSocket), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	_, err = DialControl(r.cfg)
	e, ok := errors.AsType[*statusError](err)
	if !errors.Is(err, ErrNoSupervisor) || !ok || e.ExitCode() != exitNotRunning {
		t.Errorf("a dead one: %v", err)
	}
}

// TestRestartOnDemand: an orderly stop, another process, ready when the answer comes.
func TestRestartOnDemand(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	before := r.ready()
	c := r.dial()
	if st, err := os.Stat(filepath.Join(r.cfg.RuntimeDir, controlSocket)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("control socket: %v, %v", st.Mode(), err)
	}
	if err := c.Restart(r.patience(), "mapperd"); err != nil {
		t.Fatal(err)
	}
	if what, role, pid := r.event(); what != "stop" || role != "mapperd" || pid != before["mapperd"] {
		t.Errorf("%s %s %d, wanted the orderly stop", what, role, pid)
	}
	pid := r.until("ready", "mapperd")
	states, err := c.Roles(r.patience())
	if err != nil || len(states) != len(r.cfg.Roles) {
		t.Fatal(states, err)
	}
	for _, s := range states {
		if s.Role == "mapperd" {
			before["mapperd"] = pid
		}
		if !s.Ready || s.State != PhaseReady || s.PID != before[s.Role] || s.Restarts != 0 || time.Since(s.Since) > time.Hour {
			t.Errorf("%+v", s)
		}
	}
	c.Close()
	cancel()
	if err := wait(t, end); err != nil {
		t.Error(err)
	}
}

// TestRestartAll: one by one in the order of the start, each ready before the next stops.
func TestRestartAll(t *testing.T) {
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	r.ready()
	c := r.dial()
	var steps []string
	c.Progress = func(s RestartStep) {
		if s.Done {
			steps = append(steps, s.Role)
		}
	}
	result := make(chan error, 1)
	go func() { result <- c.Restart(r.patience(), "") }()
	var got, want, names []string
	for _, role := range r.cfg.Roles {
		names = append(names, role.Name)
		// The event "ready" comes after the supervisor was told; the others can't be late.
		for _, what := range []string{"stop", "start"} {
			w, name, _ := r.event()
			for w == "ready" {
				w, name, _ = r.event()
			}
			got = append(got, w+" "+name)
			want = append(want, what+" "+role.Name)
		}
	}
	if err := wait(t, result); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(names, steps); diff != "" {
		t.Error(diff)
	}
	cancel()
	if err := wait(t, end); err != nil {
		t.Error(err)
	}
}

// TestRestartErrors: an unknown role; one that can't come up again, with its cause and last words.
func TestRestartErrors(t *testing.T) {
	r := newRig(t, map[string]string{"vlmcd": "fails-second"})
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	r.ready()
	c := r.dial()
	unknown, ok := errors.AsType[*UnknownRoleError](c.Restart(r.patience(), "postman"))
	if !ok || unknown.ExitCode() != exitUsage || !strings.Contains(unknown.Error(), "known: blockerb, blockerm, mapperd, vlmcd, nbdd") {
		t.Errorf("unknown role: %v", unknown)
	}
	e, ok := errors.AsType[*RestartError](c.Restart(r.patience(), "vlmcd"))
	if !ok {
		t.Fatal("a role that can't come up again has come up")
	}
	if e.Role != "vlmcd" || e.ExitCode() != 14 || !strings.Contains(e.Error(), "did not come up again: exit status 14\n") ||
		!strings.Contains(e.Error(), "my storage is gone") {
		t.Errorf("%d: %v", e.ExitCode(), e)
	}
	// The supervisor goes on trying.
	r.until("start", "vlmcd")
	r.until("start", "vlmcd")
	states, err := c.Roles(r.patience())
	if err != nil || states[3].Ready || states[3].Restarts == 0 {
		t.Errorf("%+v, %v", states, err)
	}
	cancel()
	_ = wait(t, end) // how vlmcd ended isn't the point
}

// TestRestartOfAStuckPeer: it is killed after the stop timeout, and a new one comes.
func TestRestartOfAStuckPeer(t *testing.T) {
	r := newRig(t, map[string]string{"vlmcd": "stuck"})
	r.opts.StopTimeout = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	before := r.ready()
	if err := r.dial().Restart(r.patience(), "vlmcd"); err != nil {
		t.Error(err)
	}
	if pid := r.until("ready", "vlmcd"); pid == before["vlmcd"] {
		t.Error("same pid")
	}
	if !strings.Contains(r.log.String(), "peer did not stop in time and is killed") {
		t.Error("the log doesn't tell")
	}
	cancel()
	_ = wait(t, end) // "signal: killed"
}

// TestRestartWhileStopping: who waits for a restart is told that the node stops.
func TestRestartWhileStopping(t *testing.T) {
	r := newRig(t, map[string]string{"nbdd": "stuck"})
	r.opts.StopTimeout = 500 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	r.ready()
	c := r.dial()
	result := make(chan error, 1)
	go func() { result <- c.Restart(context.Background(), "nbdd") }()
	r.until("stop", "nbdd")
	cancel()
	if err := wait(t, result); !errors.Is(err, errStopping) {
		t.Errorf("%v", err)
	}
	_ = wait(t, end) // "signal: killed"
}

// TestControlSurvivesItsClients: nonsense, endless lines, many at once, and clients that go away.
func TestControlSurvivesItsClients(t *testing.T) {
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	r.ready()
	path := filepath.Join(r.cfg.RuntimeDir, controlSocket)
	for _, text := range []string{"\n", "[]\n", `{"do":"dance"}` + "\n", strings.Repeat("x", 2*maxRequestLine), "{"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(text)) // may be cut off
		if strings.HasSuffix(text, "\n") {
			var reply controlReply
			if err := json.NewDecoder(conn).Decode(&reply); err != nil || reply.Error == nil {
				t.Errorf("%q: %+v, %v", text, reply, err)
			}
		}
		conn.Close()
	}
	for range 3 * maxControls {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Write([]byte(`{"do":"restart","role":"nbdd"}` + "\n"))
		conn.Close()
	}
	if _, err := r.dial().Roles(r.patience()); err != nil {
		t.Error(err)
	}
	cancel()
	if err := wait(t, end); err != nil {
		t.Error(err)
	}
}

// TestSilentSupervisor: a stopped one is noticed. The limit is long, so the clock isn't waited for.
func TestSilentSupervisor(t *testing.T) {
	client, server := net.Pipe()
	defer server.Close()
	c := &Control{conn: expired{client}}
	if err := c.Restart(context.Background(), ""); !errors.Is(err, ErrSilent) {
		t.Errorf("%v", err)
	}
}

// expired is a connection whose deadlines have passed when they are set.
type expired struct{ net.Conn }

func (e expired) SetDeadline(time.Time) error { return e.Conn.SetDeadline(time.Unix(1, 0)) }

// TestStoredDescriptors: what a process stores its successors get, however it ends.
func TestStoredDescriptors(t *testing.T) {
	r := newRig(t, map[string]string{"vlmcd": "stores", "nbdd": "stores"})
	ctx, cancel := context.WithCancel(t.Context())
	end := r.start(ctx)
	first := r.passed("vlmcd")
	if first != "" {
		t.Errorf("the first process got %q", first)
	}
	if got := r.passed("nbdd"); got != "nbd" {
		t.Errorf("nbdd got %q", got)
	}
	pid := r.until("ready", "nbdd")
	<-r.uri
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := r.passed("nbdd"); got != "kept=hello,kept=,nbd" && got != "kept=,kept=hello,nbd" {
		t.Errorf("after a kill nbdd got %q", got)
	}
	if err := r.dial().Restart(r.patience(), "nbdd"); err != nil {
		t.Fatal(err)
	}
	// What hung up was dropped, what was stored twice was kept once; the pipe is empty by now and
	// the role's own other end is stored, too, so nobody hangs up.
	if got := r.passed("nbdd"); strings.Count(got, "kept=") != 2 || strings.Contains(got, "hung-up") {
		t.Errorf("after a restart nbdd got %q", got)
	}
	cancel()
	if err := wait(t, end); err != nil {
		t.Error(err)
	}
}

// passed waits for the report of what a role was passed.
func (r *rig) passed(role string) string {
	r.t.Helper()
	buf := make([]byte, 500)
	for {
		r.events.SetReadDeadline(time.Now().Add(patience))
		n, err := r.events.Read(buf)
		if err != nil {
			r.t.Fatalf("no report: %v", err)
		}
		text, ok := strings.CutPrefix(string(buf[:n]), "passed ")
		if f := strings.Split(text, " by "); ok && strings.HasPrefix(f[1], role) {
			return f[0]
		}
	}
}
