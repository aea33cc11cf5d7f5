package xseg

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
)

const errNoSpace = syscall.ENOSPC

// Segment is a joined segment. Safe for use by many goroutines.
//
// Lock order: see the package comment.
type Segment struct {
	name   string
	runDir string
	file   *shm.File
	mem    []byte
	t      tables
	self   shm.Process

	hdr      *abi.Header
	ports    []abi.Port
	waiters  []abi.Waiter
	channels []abi.Channel
	owners   []atomic.Uint64 // of the rows of volumes
	volumes  []abi.Volume

	wakers []waker // per waiter: what we know about waking it

	controlMu sync.Mutex // held with the control lock: locks of one open don't exclude each other

	mu          sync.Mutex
	held        map[PortNo]uint64 // ports bound through this Segment, with their incarnations
	heldWaiters map[uint32]bool
	joinID      uint64 // upper bits of our incarnations; 0 = not yet taken
	binds       uint64
}

// waker is padded: each is written by whoever wakes that waiter.
type waker struct {
	last atomic.Uint32 // the value of its word that we woke last
	_    [4]byte
	bells
	_ [24]byte
}

// Join maps an existing segment. ErrNoSegment if there is none, ErrVersion if its layout is
// another one (both numbers are named).
func Join(name string) (*Segment, error) {
	s, err := joinSegment(name)
	if err != nil {
		return nil, fmt.Errorf("join segment %s: %w", name, err)
	}
	return s, nil
}

func joinSegment(name string) (*Segment, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	f, err := shm.OpenFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoSegment
	}
	if err != nil {
		return nil, err
	}
	s, err := mapSegment(name, f)
	if err != nil {
		f.Close()
	}
	return s, err
}

func mapSegment(name string, f *shm.File) (*Segment, error) {
	if f.Size() < headerSize {
		return nil, fmt.Errorf("file of %d bytes: %w", f.Size(), ErrCorrupt)
	}
	self, err := shm.Self()
	if err != nil {
		return nil, err
	}
	mem, err := f.Map()
	if err != nil {
		return nil, err
	}
	s := &Segment{name: name, file: f, mem: mem, self: self, hdr: headerOf(mem)}
	if s.t, err = checkHeader(s.hdr, uint64(f.Size())); err != nil {
		return nil, errors.Join(err, shm.Unmap(mem))
	}
	s.runDir = cString(s.hdr.RuntimeDir[:])
	s.ports = tableOf[abi.Port](mem, s.t.ports, s.t.nrPorts)
	s.waiters = tableOf[abi.Waiter](mem, s.t.waiters, s.t.nrWaiters)
	s.channels = tableOf[abi.Channel](mem, s.t.channels, s.t.nrChannels)
	s.owners = tableOf[atomic.Uint64](mem, s.t.owners, s.t.nrVolumes)
	s.volumes = tableOf[abi.Volume](mem, s.t.volumes, s.t.nrVolumes)
	s.wakers = make([]waker, s.t.nrWaiters)
	s.held, s.heldWaiters = map[PortNo]uint64{}, map[uint32]bool{}
	return s, nil
}

// cString returns the bytes before the first NUL.
func cString(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

// Leave unmaps. Precondition: all loops have been closed, and no call, request or buffer of the
// segment is used any more.
func (s *Segment) Leave() error {
	return errors.Join(shm.Unmap(s.mem), s.file.Close())
}

// Name returns the segment's name.
func (s *Segment) Name() string { return s.name }

// RuntimeDir returns the directory of the ports' sockets.
func (s *Segment) RuntimeDir() string { return s.runDir }

// Lease returns the words of the lease in the header: deadline in nanoseconds on CLOCK_BOOTTIME
// (all ones: never), and term. The term is read first: a deadline is never older than its term.
func (s *Segment) Lease() (deadline, term uint64) {
	term = s.hdr.Term.Load()
	return s.hdr.LeaseDeadline.Load(), term
}

func (s *Segment) socketPath(no PortNo) string {
	return filepath.Join(s.runDir, strconv.Itoa(int(no))+".sock")
}
