package nbdd

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// socketFixture is a socket whose events nobody works off but the test.
type socketFixture struct {
	p     *poller
	s     *socket
	ours  *net.UnixConn // the client's end
	reads int           // arrivals that reader was told
	turn  bool          // reader takes them
}

func newFixture(t *testing.T) *socketFixture {
	t.Helper()
	p, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	ours, theirs := socketPair(t)
	t.Cleanup(func() { _ = ours.Close() })
	f := &socketFixture{p: p, ours: ours}
	f.s = newSocket(p, fdOf(t, theirs), func() bool { f.reads++; return f.turn }, func() bool { return false })
	if err := f.s.watch(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.s.close)
	return f
}

func (f *socketFixture) workOff() {
	for f.p.Ready() {
		f.p.Work()
	}
}

// TestCloseWaitsForUsers: the descriptor may be another file's as soon as it is closed.
func TestCloseWaitsForUsers(t *testing.T) {
	f := newFixture(t)
	for range 2 {
		if !f.s.enter() {
			t.Fatal("an open socket can't be used")
		}
	}
	f.s.close()
	f.s.close()
	if f.s.enter() || !f.s.isClosed() {
		t.Error("a closed socket can still be used")
	}
	f.s.leave()
	if _, err := unix.FcntlInt(uintptr(f.s.fd), unix.F_GETFD, 0); err != nil {
		t.Errorf("closed under one who used it: %v", err)
	}
	f.s.leave()
	if err := f.ours.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := f.ours.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("never closed: %v", err)
	}
	if _, errno := f.s.readNow([]unix.Iovec{{}}); !errors.Is(readError(errno), net.ErrClosed) {
		t.Errorf("reading a closed socket: %v", errno)
	}
}

// TestClosedSocketHasNoEvents: also while a duplicate of it waits for a successor somewhere.
func TestClosedSocketHasNoEvents(t *testing.T) {
	f := newFixture(t)
	fd, _, err := f.s.duplicate()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	f.s.close()
	if _, err := f.ours.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if f.workOff(); f.reads != 0 || len(f.p.sockets) != 0 {
		t.Errorf("%d arrivals, %d sockets watched", f.reads, len(f.p.sockets))
	}
}

// TestArrivalIsKept: what the loop may not read is told to whoever reads, also later.
func TestArrivalIsKept(t *testing.T) {
	f := newFixture(t)
	if _, err := f.ours.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if f.workOff(); f.reads != 1 {
		t.Fatalf("%d arrivals of one byte", f.reads)
	}
	if err := f.s.waitRead(); err != nil {
		t.Error(err)
	}
	f.turn = true
	if _, err := f.ours.Write([]byte("y")); err != nil {
		t.Fatal(err)
	}
	f.workOff()
	f.s.readBy.set(longAgo)
	if err := f.s.waitRead(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("what the loop has read was told to another reader, too: %v", err)
	}
}

// TestWritingWaitsForRoom: with a deadline and without.
func TestWritingWaitsForRoom(t *testing.T) {
	f := newFixture(t)
	much := make([]byte, 4<<20)
	f.s.writeBy.set(time.Now().Add(10 * time.Millisecond))
	n, err := f.s.Write(much)
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == len(much) {
		t.Fatalf("%d bytes into a full socket: %v", n, err)
	}
	f.s.writeBy.set(time.Time{})
	wrote := make(chan error, 1)
	go func() {
		_, err := f.s.Write(much[n:])
		wrote <- err
	}()
	got := 0
	for buf := make([]byte, 1<<20); got < len(much); f.workOff() {
		if err := f.ours.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := f.ours.Read(buf)
		if got += n; err != nil {
			t.Fatal(err)
		}
	}
	for ended := false; !ended; {
		select {
		case err := <-wrote:
			if ended = true; err != nil {
				t.Error(err)
			}
		default:
			f.workOff()
		}
	}
}
