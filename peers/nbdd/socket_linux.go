package nbdd

import (
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket is our end of a connection. Reading and writing wait as they do with a net.Conn, with
// deadlines that any goroutine may set; but what arrives is told by a poller that somebody has to
// work off.
type socket struct {
	poller *poller
	fd     int
	key    int32 // the poller's

	// reader reads what has arrived, on the poller's thread; false: it isn't its turn, and whoever
	// waits in read is told. Constant once the socket is watched.
	reader func() bool
	// writer is the same for room to write.
	writer func() bool

	// users counts twice those who use fd; an odd number: the socket is closed, and the last of them
	// closes fd.
	users atomic.Int64
	gone  chan struct{} // closed with the socket

	canRead, canWrite chan struct{} // hold one: there was news since somebody last waited
	readBy, writeBy   deadline
}

// newSocket takes a connected, non-blocking socket over. It is watched from watch on.
func newSocket(p *poller, fd int, reader, writer func() bool) *socket {
	return &socket{poller: p, fd: fd, reader: reader, writer: writer, gone: make(chan struct{}),
		canRead: make(chan struct{}, 1), canWrite: make(chan struct{}, 1)}
}

func (s *socket) watch() error { return s.poller.add(s) }

// event takes an event of the poller.
func (s *socket) event(events uint32) {
	// Whoever writes learns what is wrong, too.
	if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 && !s.writer() {
		tell(s.canWrite)
	}
	if events&^unix.EPOLLOUT != 0 {
		s.arrived()
	}
}

// arrived has what came read.
func (s *socket) arrived() {
	if !s.reader() {
		tell(s.canRead)
	}
}

func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// enter allows the use of fd until leave; false: the socket is closed.
func (s *socket) enter() bool {
	for {
		n := s.users.Load()
		if n&1 != 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+2) {
			return true
		}
	}
}

func (s *socket) leave() {
	if s.users.Add(-2) == 1 {
		_ = unix.Close(s.fd)
	}
}

func (s *socket) isClosed() bool { return s.users.Load()&1 != 0 }

// close ends everything that waits. A second time it does nothing.
func (s *socket) close() {
	if !s.enter() {
		return
	}
	defer s.leave()
	if s.users.Or(1)&1 == 0 {
		s.poller.remove(s)
		close(s.gone)
	}
}

// shut ends one direction, or both: see shutdown(2).
func (s *socket) shut(how int) {
	if s.enter() {
		_ = unix.Shutdown(s.fd, how) // the client may have left
		s.leave()
	}
}

// readNow reads once, if that is possible now; unix.EBADF: the socket is closed.
func (s *socket) readNow(iov []unix.Iovec) (int, syscall.Errno) {
	if !s.enter() {
		return 0, unix.EBADF
	}
	n, errno := readv(s.fd, iov)
	s.leave()
	return n, errno
}

// readError makes an error of the errno of readNow.
func readError(errno syscall.Errno) error {
	if errno == unix.EBADF {
		return net.ErrClosed
	}
	return os.NewSyscallError("read", errno)
}

// waitRead waits until there may be something to read.
func (s *socket) waitRead() error { return s.await(s.canRead, &s.readBy) }

// send writes what step has to write: step is called until it returns true, and between two calls
// the socket has become writable.
func (s *socket) send(step func(fd int) bool) error {
	if s.writeBy.isOver() {
		return os.ErrDeadlineExceeded
	}
	if !s.enter() {
		return net.ErrClosed
	}
	defer s.leave()
	if step(s.fd) {
		return nil
	}
	if err := s.poller.change(s, eventsBoth); err != nil {
		return err
	}
	for {
		if err := s.await(s.canWrite, &s.writeBy); err != nil {
			return err
		}
		if step(s.fd) {
			_ = s.poller.change(s, eventsRead) // fails only once the socket is closed
			return nil
		}
	}
}

// Write writes all of b.
func (s *socket) Write(b []byte) (int, error) {
	at, errno := 0, syscall.Errno(0)
	err := s.send(func(fd int) bool {
		for at < len(b) {
			var n int
			iov := [1]unix.Iovec{{Base: &b[at], Len: uint64(len(b) - at)}}
			if n, errno = writev(fd, iov[:]); errno != 0 {
				return errno != unix.EAGAIN
			}
			at += n
		}
		return true
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("write", errno)
	}
	return at, err
}

// await waits for news.
func (s *socket) await(news chan struct{}, by *deadline) error {
	passed := by.passed()
	select {
	case <-passed: // even if there is news
		return os.ErrDeadlineExceeded
	default:
	}
	select {
	case <-news:
		return nil
	case <-passed:
		return os.ErrDeadlineExceeded
	case <-s.gone:
		return net.ErrClosed
	}
}

// setDeadline sets both deadlines; the zero time: none.
func (s *socket) setDeadline(t time.Time) {
	s.readBy.set(t)
	s.writeBy.set(t)
}

// duplicate returns another descriptor of the socket, and its inode.
func (s *socket) duplicate() (fd int, inode uint64, err error) {
	if !s.enter() {
		return -1, 0, net.ErrClosed
	}
	defer s.leave()
	return duplicateFD(s.fd)
}
