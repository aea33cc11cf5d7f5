package node

import (
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// maxStored is how many descriptors are kept for a role.
const maxStored = 2048

// fdStore keeps the descriptors that the processes of one role handed over (FDSTORE=1), and passes
// them to each new process of the role. What hangs up is dropped, as systemd does: a stored
// connection whose client has gone is of no use to a successor. Safe for use by many goroutines.
type fdStore struct {
	poller *os.File // an epoll that tells which descriptors have hung up
	ended  chan struct{}

	mu     sync.Mutex
	stored []storedFD
	closed bool
}

type storedFD struct {
	name string
	file *os.File
	fd   int // of file
}

func newFDStore() (*fdStore, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// Non-blocking, so that the runtime waits for it without a thread.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	s := &fdStore{poller: os.NewFile(uintptr(fd), "epoll"), ended: make(chan struct{})}
	go s.watch()
	return s, nil
}

// put takes descriptors, which are its own from then on. It returns how many it kept: those that
// it has already and those beyond maxStored are closed.
func (s *fdStore) put(name string, fds []int) (kept, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fd := range fds {
		switch {
		case s.closed || s.has(fd):
			unix.Close(fd)
		case len(s.stored) >= maxStored:
			unix.Close(fd)
			refused++
		default:
			s.keep(name, fd)
			kept++
		}
	}
	return kept, refused
}

func (s *fdStore) keep(name string, fd int) {
	s.stored = append(s.stored, storedFD{name, os.NewFile(uintptr(fd), name), fd})
	// A hang-up and an error are always reported, whatever is asked for. What can't be polled (a
	// directory, a file) has no other end that could hang up.
	_ = unix.EpollCtl(s.epoll(), unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Fd: int32(fd)})
}

// has says whether the same open file is stored already: a process that stores what it was passed
// must not make the store grow. Where the kernel doesn't tell, every descriptor is a new one.
func (s *fdStore) has(fd int) bool {
	pid := uintptr(os.Getpid())
	return slices.ContainsFunc(s.stored, func(f storedFD) bool {
		r, _, errno := unix.Syscall6(unix.SYS_KCMP, pid, pid, 0, uintptr(f.fd), uintptr(fd), 0)
		return errno == 0 && r == 0
	})
}

// remove closes all descriptors of a name.
func (s *fdStore) remove(name string) {
	s.drop(func(f storedFD) bool { return f.name == name })
}

func (s *fdStore) drop(gone func(storedFD) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored = slices.DeleteFunc(s.stored, func(f storedFD) bool {
		if !gone(f) {
			return false
		}
		// Closing isn't enough to end the watching: a process may hold the same open file.
		_ = unix.EpollCtl(s.epoll(), unix.EPOLL_CTL_DEL, f.fd, nil)
		f.file.Close()
		return true
	})
}

// use calls f with what is stored; nothing is closed meanwhile. f must not keep the files.
func (s *fdStore) use(f func(stored []storedFD) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f(s.stored)
}

// watch drops what hangs up until the store is closed.
func (s *fdStore) watch() {
	defer close(s.ended)
	raw, err := s.poller.SyscallConn()
	if err != nil {
		return
	}
	for {
		var hung []int32
		// Fails when the poller is closed.
		if err := raw.Read(func(fd uintptr) bool {
			hung = hungUp(int(fd))
			return len(hung) > 0
		}); err != nil {
			return
		}
		s.drop(func(f storedFD) bool { return slices.Contains(hung, int32(f.fd)) && isHungUp(f.fd) })
	}
}

func hungUp(epoll int) []int32 {
	var events [64]unix.EpollEvent
	n, err := unix.EpollWait(epoll, events[:], 0)
	if err != nil {
		return nil
	}
	fds := make([]int32, n)
	for i := range fds {
		fds[i] = events[i].Fd
	}
	return fds
}

// isHungUp looks again: between the event and now the number may have got another meaning.
func isHungUp(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(p, 0)
	return err == nil && n == 1 && p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}

// epoll returns the number of the poller. It stays open while mu is held and closed is not set.
func (s *fdStore) epoll() int { return int(s.poller.Fd()) }

// close closes everything.
func (s *fdStore) close() {
	s.drop(func(storedFD) bool { return true })
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.poller.Close()
	<-s.ended
}
