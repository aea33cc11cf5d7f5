package nbdd

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"archipelago/internal/nbd/client"
	"archipelago/xseg"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long anything may take before a test gives up: generous, never a measure.
const patience = 30 * time.Second

// harness is a server over a memory backend.
type harness struct {
	t    testing.TB
	srv  *Server
	path string
	stop func() error
	log  *lockedBuffer
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

// start serves b until the test ends.
func start(t testing.TB, limits Limits, b Backend) *harness {
	t.Helper()
	h := prepare(t, limits)
	h.serve(b)
	return h
}

// prepare makes a server that doesn't serve yet.
func prepare(t testing.TB, limits Limits) *harness {
	t.Helper()
	dir, err := os.MkdirTemp("", "archip-nbdd-")
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{t: t, path: filepath.Join(dir, "nbd.sock"), log: &lockedBuffer{}}
	h.srv = newServer(t, limits, slog.NewTextHandler(h.log, nil))
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return h
}

// newServer makes a server whose Source is worked off until the test ends.
func newServer(t testing.TB, limits Limits, log slog.Handler) *Server {
	t.Helper()
	s, err := NewServer(limits, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { workOff(s.Source(), stop) })
	t.Cleanup(func() {
		if _, err := unix.Write(stop, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			t.Error(err)
		}
		wg.Wait()
		_ = unix.Close(stop)
		s.Close()
	})
	return s
}

// workOff does what the loop of a peer does with a source, until stop is readable.
func workOff(s xseg.Source, stop int) {
	files := []unix.PollFd{{Fd: int32(s.FD()), Events: unix.POLLIN}, {Fd: int32(stop), Events: unix.POLLIN}}
	for files[1].Revents == 0 {
		if s.Ready() {
			s.Work()
			continue
		}
		_, _ = unix.Poll(files, -1) // EINTR: the next look will do
	}
}

// fdOf takes the socket out of a connection.
func fdOf(t testing.TB, uc *net.UnixConn) int {
	t.Helper()
	fd, _, err := duplicate(uc)
	if err == nil {
		err = errors.Join(uc.Close(), unix.SetNonblock(fd, true))
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// serve serves b until the test ends, or stop is called.
func (h *harness) serve(b Backend) {
	t := h.t
	t.Helper()
	ln, err := listenAt(h.path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.srv.Serve(ctx, ln, b) }()
	h.stop = sync.OnceValue(func() error {
		cancel()
		return <-served
	})
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Error(err)
		}
		if left := h.srv.heap.left.Load(); left != h.srv.limits.HeapBytes {
			t.Errorf("heap budget: %d bytes were never given back", h.srv.limits.HeapBytes-left)
		}
	})
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// dial connects with our own client.
func (h *harness) dial(export string, opts client.Options) *client.Client {
	h.t.Helper()
	c, err := client.Dial(testContext(h.t), "unix", h.path, export, opts)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	return c
}

// raw connects without a word.
func (h *harness) raw() *net.UnixConn {
	h.t.Helper()
	conn, err := net.Dial("unix", h.path)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		h.t.Fatal(err)
	}
	return conn.(*net.UnixConn)
}

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}
