package blocker

import (
	"errors"
	"syscall"
)

// Errors that a store returns, each with the errno that crosses a port. A store wraps them with
// the name of the object and the cause; anything else crosses as EIO, or as the syscall.Errno
// that it wraps.
var (
	ErrNotFound = &Error{"no such object", syscall.ENOENT}
	ErrExists   = &Error{"object exists", syscall.EEXIST}
	ErrConflict = &Error{"object changed meanwhile", syscall.ESTALE}
	ErrNoSpace  = &Error{"no space left in the store", syscall.ENOSPC}
	ErrBad      = &Error{"object failed to sync earlier", syscall.EIO}
	ErrName     = &Error{"invalid object name", syscall.EINVAL}
	ErrArgument = &Error{"invalid argument", syscall.EINVAL}
	ErrClosed   = &Error{"store is closed", syscall.ESHUTDOWN}
	ErrFenced   = &Error{"lease has ended", syscall.ETIME}
)

// Error is a failure with an errno of its own.
type Error struct {
	text  string
	errno syscall.Errno
}

func (e *Error) Error() string { return e.text }

// Errno returns the number that stands for e across a port.
func (e *Error) Errno() syscall.Errno { return e.errno }

// Errno turns any error of a store into the number that crosses a port; nil is 0.
func Errno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.errno
	}
	if n, ok := errors.AsType[syscall.Errno](err); ok {
		return n
	}
	return syscall.EIO
}
