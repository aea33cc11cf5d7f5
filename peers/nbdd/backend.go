package nbdd

import (
	"context"
	"syscall"
)

// Backend is what the server exports. Safe for use by many goroutines.
type Backend interface {
	// Info describes an export without opening it.
	Info(ctx context.Context, name string) (Info, error)
	// Open opens an export for I/O. It stays open.
	Open(ctx context.Context, name string) (Export, error)
	// List calls f for each export until f fails.
	List(ctx context.Context, f func(name string) error) error
}

// Info describes an export.
type Info struct {
	Name     string
	ID       [16]byte // of what has the name now
	Size     uint64   // bytes
	ReadOnly bool
	MinBlock uint32 // bytes: requests must be multiples of it; a power of two
}

// Op is what an IO does.
type Op uint8

// Operations of an IO. Read and Write have a buffer.
const (
	Read Op = iota
	Write
	WriteZeroes
	Discard
	Flush
)

// Export is an open export. Safe for use by many goroutines.
type Export interface {
	Info() Info
	// Prepare takes an IO on n bytes at off, at most MaxIO where it has a buffer; fua: durable when
	// it has ended. nil: there is no room now. It MUST NOT block or, in steady state, allocate.
	Prepare(op Op, fua bool, off uint64, n int) IO
	// PrepareWait is Prepare that waits for room until ctx ends.
	PrepareWait(ctx context.Context, op Op, fua bool, off uint64, n int) (IO, error)
	// Extents calls f for the runs of n bytes at off, in order and without gaps, until f returns
	// false. It may block.
	Extents(ctx context.Context, off, n uint64, f func(Extent) bool) error
}

// Extent is a run of bytes that are found equally deep. Two neighbours may be.
type Extent struct {
	Length uint64
	Depth  uint32 // 1 = in the uppermost object, and so on; 0 = nowhere: a hole, zeros
}

// IO is one request to the backend with its buffer.
type IO interface {
	// Data is the buffer, of the length that was asked for.
	Data() []byte
	// Submit starts it. done is called once when it has ended, from any goroutine, maybe before
	// Submit returns. If it comes from a thread of the backend, the backend MUST call
	// Server.BatchEnd from there after it, and once for all those that end together.
	Submit(done func())
	// SubmitOnLoop is Submit for the thread of the backend that works Server.Source off: the backend
	// may start it only when it is done with that.
	SubmitOnLoop(done func())
	// Errno is the outcome, from done on.
	Errno() syscall.Errno
	// Put gives the buffer back: after done, or instead of Submit.
	Put()
}

// MaxIO is the longest IO with a buffer, in bytes. Longer requests are split at its multiples.
const MaxIO = 4 << 20
