package nbdd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Names of what is kept for a successor: the sockets of clients, and the file with their state.
const (
	clientsName = "nbd-clients"
	stateName   = "nbd-state"
)

// maxState bounds the file: more than every client may have sent without an answer.
const maxState = 1 << 30

// Keeper keeps descriptors for a successor, under a name: duplicates of them.
type Keeper func(name string, fds ...int) error

// keepParked notes a connection that can be handed over.
func (s *Server) keepParked(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked = append(s.parked, c)
}

// handOver gives the parked connections away and closes them here. Preconditions: nothing runs any
// more.
func (s *Server) handOver() {
	if len(s.parked) == 0 {
		return
	}
	if err := s.store(s.parked); err != nil {
		s.log.Error("NBD clients can't be handed over: their connections end", "clients", len(s.parked), "error", err)
	} else {
		s.log.Info("NBD clients wait for a successor", "clients", len(s.parked))
	}
	for _, c := range s.parked {
		c.sock.close()
	}
	s.parked = nil
}

// store gives the keeper the state first: sockets that have no state are of no use, and a keeper
// that is full refuses what comes last.
func (s *Server) store(conns []*conn) error {
	var fds []int
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}()
	var sessions []session
	for _, c := range conns {
		fd, inode, err := c.sock.duplicate()
		if err != nil {
			// It was killed at the last moment, or there are no descriptors left: the others go on.
			c.log.Warn("an NBD client can't be handed over", "error", err)
			continue
		}
		fds = append(fds, fd)
		sessions = append(sessions, c.session(inode))
	}
	f, err := stateFile(appendState(nil, sessions))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.keeper(stateName, int(f.Fd())); err != nil {
		return err
	}
	return s.keeper(clientsName, fds...)
}

// duplicate returns a descriptor of a socket, and its inode.
func duplicate(socket syscall.Conn) (fd int, inode uint64, err error) {
	rc, err := socket.SyscallConn()
	if err != nil {
		return -1, 0, err
	}
	var failed error
	err = rc.Control(func(s uintptr) { fd, inode, failed = duplicateFD(int(s)) })
	return fd, inode, errors.Join(err, failed)
}

func duplicateFD(of int) (fd int, inode uint64, err error) {
	if inode, err = inodeOf(of); err != nil {
		return -1, 0, err
	}
	fd, err = unix.FcntlInt(uintptr(of), unix.F_DUPFD_CLOEXEC, 0)
	return fd, inode, os.NewSyscallError("dup", err)
}

func inodeOf(fd int) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, os.NewSyscallError("fstat", err)
	}
	return st.Ino, nil
}

// stateFile makes a file in memory that has no name anywhere.
func stateFile(state []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(stateName, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), stateName)
	if _, err := f.WriteAt(state, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("state of NBD connections: %w", err), f.Close())
	}
	return f, nil
}

// kept is a connection of a predecessor.
type kept struct {
	session session
	fd      int
}

// takeKept makes connections of what a predecessor left, and closes all files. Clients that it can't
// take are reported as an error; their connections end.
func takeKept(states, clients []*os.File) ([]kept, error) {
	byInode := map[uint64]*os.File{}
	defer func() {
		for _, f := range append(states, clients...) {
			_ = f.Close()
		}
	}()
	var errs []error
	for _, f := range clients {
		inode, err := inodeOf(int(f.Fd()))
		errs = append(errs, err)
		byInode[inode] = f
	}
	var all []kept
	for _, f := range states {
		sessions, err := readState(f)
		errs = append(errs, err)
		for i := range sessions {
			socket := byInode[sessions[i].inode]
			if socket == nil {
				continue // its client hung up, or the keeper had no room
			}
			fd, err := clientOf(socket)
			if errs = append(errs, err); err == nil {
				all = append(all, kept{sessions[i], fd})
			}
			delete(byInode, sessions[i].inode)
		}
	}
	if len(byInode) > 0 {
		errs = append(errs, fmt.Errorf("%d clients of a predecessor can't be served: nothing tells their state", len(byInode)))
	}
	return all, errors.Join(errs...)
}

func readState(f *os.File) ([]session, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, maxState))
	if err != nil {
		return nil, fmt.Errorf("state of NBD connections: %w", err)
	}
	return parseState(b)
}

// clientOf returns a non-blocking duplicate of the socket of a client.
func clientOf(f *os.File) (int, error) {
	fd := int(f.Fd())
	family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err == nil && family != unix.AF_UNIX {
		err = errors.New("it isn't at a Unix socket")
	}
	dup := -1
	if err == nil {
		dup, _, err = duplicateFD(fd)
	}
	if err == nil {
		err = unix.SetNonblock(dup, true)
	}
	if err != nil {
		return -1, fmt.Errorf("client of a predecessor: %w", err)
	}
	return dup, nil
}
