package mapper

import (
	"errors"
	"syscall"
)

// Errors that a mapper returns, each with the errno that crosses a port. They are wrapped with the
// name of the volume and the cause.
var (
	ErrNotFound = &Error{"no such volume", syscall.ENOENT}
	ErrExists   = &Error{"volume exists", syscall.EEXIST}
	ErrName     = &Error{"invalid volume name", syscall.EINVAL}
	ErrArgument = &Error{"invalid argument", syscall.EINVAL}
	ErrTooSmall = &Error{"clone would be smaller than its origin", syscall.ERANGE}
	ErrReadOnly = &Error{"read-only", syscall.EROFS}
	ErrNotRO    = &Error{"origin is not a snapshot", syscall.ENOTSUP}
	ErrBusy     = &Error{"locked by another node", syscall.EBUSY}
	ErrAgain    = &Error{"not now", syscall.EAGAIN}
	ErrStale    = &Error{"translation is out of date", syscall.ESTALE}
	ErrCorrupt  = &Error{"corrupt", syscall.EUCLEAN}
	ErrNoSpace  = &Error{"no space left", syscall.ENOSPC}
	ErrIO       = &Error{"input/output error", syscall.EIO}
	ErrUnknown  = &Error{"operation isn't supported", syscall.ENOSYS}
)

// Error is a failure with an errno of its own.
type Error struct {
	text  string
	errno syscall.Errno
}

func (e *Error) Error() string { return e.text }

// Errno returns the number that stands for e across a port.
func (e *Error) Errno() syscall.Errno { return e.errno }

// Errno turns any error of a mapper into the number that crosses a port; nil is 0.
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
	if n, ok := errors.AsType[interface {
		error
		Errno() syscall.Errno
	}](err); ok {
		return n.Errno()
	}
	return syscall.EIO
}
