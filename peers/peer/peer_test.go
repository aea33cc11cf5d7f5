package peer_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"archipelago/internal/config"
	"archipelago/peers/peer"
	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for.
const patience = 20 * time.Second

// manager is the service manager's side of the notify socket.
type manager struct {
	*testing.T
	conn *net.UnixConn
}

// manage listens, and puts the socket and the watchdog's time into the environment.
func manage(t *testing.T, watchdog string) *manager {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", watchdog)
	t.Setenv("WATCHDOG_PID", "")
	return &manager{t, conn}
}

// next returns the next message; "" if none comes within d.
func (m *manager) next(d time.Duration) string {
	_ = m.conn.SetReadDeadline(time.Now().Add(d))
	buf := make([]byte, 256)
	n, err := m.conn.Read(buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

func (m *manager) expect(want string) {
	m.Helper()
	for {
		got := m.next(patience)
		if got == want {
			return
		}
		if got != "WATCHDOG=1" {
			m.Fatalf("got %q, want %q", got, want)
		}
	}
}

func join(t *testing.T) (*peer.Peer, *xseg.Loop) {
	node := xsegtest.NewSized(t, 64, 16)
	cfg := &config.Config{SegmentName: node.Name, Roles: []config.Role{{Name: "one", LogLevel: 0}}}
	p, err := peer.Join(t.Context(), cfg, "one")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Leave(); err != nil {
			t.Error(err)
		}
	})
	l, err := p.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	return p, l
}

func serve(ctx context.Context, p *peer.Peer, hooks peer.Hooks) chan error {
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, hooks) }()
	return done
}

// TestLife: ready after Started, alive by way of the loop, stopping before Stopping, and the loop
// still runs then.
func TestLife(t *testing.T) {
	m := manage(t, "60000")
	p, loop := join(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	may := make(chan struct{})
	ranOnLoop := false
	done := serve(ctx, p, peer.Hooks{
		Started: func(context.Context) error { <-may; return nil },
		Stopping: func() {
			ran := make(chan struct{})
			loop.Post(func() { ranOnLoop = true; close(ran) })
			<-ran
		},
	})
	if got := m.next(patience); got != "WATCHDOG=1" {
		t.Errorf("before it is ready: %q", got)
	}
	close(may)
	m.expect("READY=1")
	for range 3 {
		if got := m.next(patience); got != "WATCHDOG=1" {
			t.Errorf("alive: %q", got)
		}
	}
	cancel()
	m.expect("STOPPING=1")
	if err := <-done; err != nil || !ranOnLoop {
		t.Errorf("stop: %v, the loop ran: %v", err, ranOnLoop)
	}
}

// TestWedgedLoop: a loop that hangs isn't reported alive.
func TestWedgedLoop(t *testing.T) {
	m := manage(t, "60000")
	p, loop := join(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := serve(ctx, p, peer.Hooks{})
	m.expect("READY=1")
	m.expect("WATCHDOG=1")
	wedged, release := make(chan struct{}), make(chan struct{})
	loop.Post(func() { close(wedged); <-release })
	<-wedged
	m.next(30 * time.Millisecond) // one may have been on its way
	if got := m.next(300 * time.Millisecond); got != "" {
		t.Errorf("with a wedged loop: %q", got)
	}
	close(release)
	m.expect("WATCHDOG=1")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStartFails(t *testing.T) {
	m := manage(t, "")
	p, _ := join(t)
	broken := errors.New("broken")
	err := p.Serve(context.Background(), peer.Hooks{Started: func(context.Context) error { return broken }})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "one") {
		t.Errorf("serve: %v", err)
	}
	if got := m.next(10 * time.Millisecond); got != "" {
		t.Errorf("told the manager %q", got)
	}
}

// TestStoppedWhileStarting: that is a stop like any other.
func TestStoppedWhileStarting(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	p, _ := join(t)
	ctx, cancel := context.WithCancel(context.Background())
	err := p.Serve(ctx, peer.Hooks{Started: func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}})
	if err != nil {
		t.Error(err)
	}
}

// TestDrain: requests that were received are answered before Serve returns.
func TestDrain(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	p, loop := join(t)
	received := make(chan *xseg.Request, 1)
	_, err := loop.Bind(context.Background(), 10, xseg.BindOptions{Role: "one", Handler: func(r *xseg.Request) { received <- r }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := serve(ctx, p, peer.Hooks{})

	node := xsegtest.Node{Name: p.Segment.Name()}
	client := node.Peer(t)
	port := client.Bind(11, xseg.BindOptions{Role: "two"})
	client.Run()
	ch := client.Connect(port, 10, xseg.ChannelOptions{Slots: 4, Wait: true})
	call := ch.Get(0)
	answered := make(chan struct{})
	call.Done = func(*xseg.Call) { close(answered) }
	call.Submit()
	r := <-received
	cancel()
	select {
	case err := <-done:
		t.Fatalf("stopped with a request open: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	r.Respond(0, 0)
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-answered
}

func TestJoinErrors(t *testing.T) {
	cfg := &config.Config{SegmentName: "no-such-segment", Roles: []config.Role{{Name: "one"}}}
	if _, err := peer.Join(t.Context(), cfg, "one"); !errors.Is(err, xseg.ErrNoSegment) || !strings.Contains(err.Error(), "no-such-segment") {
		t.Errorf("no segment: %v", err)
	}
	if _, err := peer.Join(t.Context(), cfg, "two"); err == nil || !strings.Contains(err.Error(), "two") {
		t.Errorf("no role: %v", err)
	}
}

func TestLogLevel(t *testing.T) {
	for level, want := range []int{1, 2, 3, 4} {
		var out bytes.Buffer
		log := peer.NewLog(&out, level, "vlmcd")
		log.Error("a")
		log.Warn("b")
		log.Info("c")
		log.Debug("d")
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("level %d logs %d lines:\n%s", level, got, out.String())
		}
	}
}
