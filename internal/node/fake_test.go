package node

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/config"
	daemon "archipelago/peers/peer"
)

// The test program plays the peers itself: `node.test fake-peer BEHAVIOUR ROLE EVENTS`.
const fakePeer = "fake-peer"

func TestMain(m *testing.M) {
	if len(os.Args) > 4 && os.Args[1] == fakePeer {
		os.Exit(playPeer(os.Args[2], os.Args[3], os.Args[4]))
	}
	if len(os.Args) > 2 && os.Args[1] == fakeSupervisor {
		os.Exit(playSupervisor(os.Args[2]))
	}
	if len(os.Args) > 3 && os.Args[1] == fakeOrphan {
		os.Exit(playOrphan(os.Args[2], os.Args[3]))
	}
	// Under the race detector a process takes a second to exit, unless told otherwise.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

// say sends one datagram; the other end may be gone.
func say(path, text string) {
	if c, err := net.Dial("unixgram", path); err == nil {
		fmt.Fprint(c, text)
		c.Close()
	}
}

// playPeer is a peer that does nothing but report what happens to it.
func playPeer(behaviour, role, events string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, daemon.ReplaceSignal)
	tell := func(what string) { say(events, fmt.Sprintf("%s %s %d", what, role, os.Getpid())) }
	fmt.Fprintln(os.Stderr, "hello")
	tell("start")
	if behaviour == "fails" {
		return 14
	}
	if behaviour == "fails-second" && !firstTime(events) {
		fmt.Fprintln(os.Stderr, "my storage is gone")
		return 14
	}
	if behaviour == "stores" {
		playStore(tell)
	}
	if behaviour == "fails-once-ready" {
		say(os.Getenv("NOTIFY_SOCKET"), "READY=1")
		return 3
	}
	say(os.Getenv("NOTIFY_SOCKET"), "STATUS=soon\nREADY=1\n")
	tell("ready fds=" + os.Getenv("LISTEN_FDS"))
	beat := time.NewTicker(20 * time.Millisecond)
	defer beat.Stop()
	end := time.After(3 * patience) // so that a failed test leaves nothing behind for good
	for {
		select {
		case <-end:
			return 9
		case <-beat.C:
			if behaviour != "silent" {
				say(os.Getenv("NOTIFY_SOCKET"), "WATCHDOG=1")
			}
		case <-term:
			tell("stop")
			switch behaviour {
			case "stuck":
				continue
			case "dirty":
				return 1
			}
			return 0
		}
	}
}

// firstTime says whether nobody has asked before.
func firstTime(events string) bool {
	f, err := os.OpenFile(events+".once", os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// playStore reports what was passed on, and stores more: once a pipe with something in it, each
// time one whose other end is closed, and each time all that was passed on.
func playStore(tell func(string)) {
	passed := daemon.StoredFDs()
	var text []string
	for name, files := range passed {
		for _, f := range files {
			if name == "kept" {
				b := make([]byte, 10)
				_ = syscall.SetNonblock(int(f.Fd()), true)
				n, _ := syscall.Read(int(f.Fd()), b)
				text = append(text, name+"="+string(b[:max(n, 0)]))
				continue
			}
			text = append(text, name)
		}
	}
	slices.Sort(text)
	tell("passed " + strings.Join(text, ",") + " by")
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	if len(passed["kept"]) == 0 {
		w.Write([]byte("hello"))
		complain(daemon.StoreFDs("kept", int(r.Fd()), int(w.Fd())))
		return
	}
	w.Close()
	complain(daemon.StoreFDs("hung-up", int(r.Fd())))
	complain(daemon.StoreFDs("kept", int(passed["kept"][0].Fd())))
}

func complain(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// rig is a supervisor over fake peers.
type rig struct {
	t      *testing.T
	cfg    *config.Config
	opts   Options
	events *net.UnixConn
	log    lockedBuffer
	uri    chan string
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newRig makes a rig with the roles of a node in a directory; behaviour says how a role plays, the
// default is well.
func newRig(t *testing.T, behaviour map[string]string) *rig {
	// Not t.TempDir: it is too long for the path of a socket.
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	cfg, err := config.ForDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := makeRuntimeDir(cfg); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, cfg: cfg, uri: make(chan string, 1)}
	path := filepath.Join(dir, "events")
	if r.events, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.events.Close() })
	r.opts = Options{
		Watchdog: -1,
		Ready:    func(uri string) { r.uri <- uri },
		Command:  fakeCommand(behaviour, path),
	}
	r.opts.fill()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the supervisor:\n%s", r.log.String())
		}
	})
	return r
}

func fakeCommand(behaviour map[string]string, events string) func(*config.Config, *config.Role) ([]string, error) {
	return func(_ *config.Config, role *config.Role) ([]string, error) {
		how := behaviour[role.Name]
		if how == "" {
			how = "well"
		}
		return []string{os.Args[0], fakePeer, how, role.Name, events}, nil
	}
}

// start runs the supervisor; its end comes out of the channel.
func (r *rig) start(ctx context.Context) <-chan error {
	sink := newLogSink(&r.log)
	end := make(chan error, 1)
	go func() {
		s := newSupervisor(r.cfg, r.opts, sink, slog.New(slog.NewTextHandler(sink, nil)))
		err := s.run(ctx)
		sink.close()
		end <- err
	}()
	return end
}

const patience = 20 * time.Second

// event waits for the next event of a fake peer: what, role, pid.
func (r *rig) event() (what, role string, pid int) {
	r.t.Helper()
	buf := make([]byte, 200)
	r.events.SetReadDeadline(time.Now().Add(patience))
	n, err := r.events.Read(buf)
	if err != nil {
		r.t.Fatalf("no event: %v", err)
	}
	fields := strings.Fields(string(buf[:n]))
	if _, err := fmt.Sscan(fields[len(fields)-1], &pid); err != nil {
		r.t.Fatal(err)
	}
	return fields[0], fields[len(fields)-2], pid
}

// until skips events up to one of that kind of that role, and returns its pid.
func (r *rig) until(what, role string) int {
	r.t.Helper()
	for {
		w, who, pid := r.event()
		if w == what && who == role {
			return pid
		}
	}
}

// ready waits until the node is, and returns the pids of the roles.
func (r *rig) ready() map[string]int {
	r.t.Helper()
	pids := map[string]int{}
	for range r.cfg.Roles {
		for {
			what, role, pid := r.event()
			if what == "ready" {
				pids[role] = pid
				break
			}
		}
	}
	select {
	case <-r.uri:
	case <-time.After(patience):
		r.t.Fatal("the node never became ready")
	}
	return pids
}

func wait(t *testing.T, end <-chan error) error {
	t.Helper()
	select {
	case err := <-end:
		return err
	case <-time.After(patience):
		t.Fatal("the supervisor didn't end")
		return nil
	}
}

// unixEpoch is a deadline that has passed.
var unixEpoch = time.Unix(1, 0)

// eventually waits for something that another goroutine does.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}
