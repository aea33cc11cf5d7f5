package fused

import (
	"context"
	"errors"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// ErrUnmounted ends the peer when somebody else has unmounted its file system.
var ErrUnmounted = errors.New("the file system was unmounted by somebody else")

// errStale: the file is of a volume that was removed.
var errStale = mapper.ErrStale

// status turns an error into what the kernel gets.
func status(err error) fuse.Status {
	switch {
	case err == nil:
		return fuse.OK
	case errors.Is(err, context.Canceled):
		return fuse.EINTR
	case errors.Is(err, mapper.ErrName):
		return fuse.ENOENT // no volume can have that name
	case errors.Is(err, xseg.ErrNoMemory):
		return fuse.Status(syscall.ENOSPC)
	case errors.Is(err, xseg.ErrNotRunning), errors.Is(err, xseg.ErrClosed):
		return fuse.Status(syscall.EHOSTDOWN)
	}
	return fuse.Status(ioErrno(mapper.Errno(err)))
}

// ioErrno turns the errno of a request into one that a user of a file expects: a volume that is
// gone under an open file is a stale handle, and bytes that don't check are an input error.
func ioErrno(n syscall.Errno) syscall.Errno {
	switch n {
	case syscall.EUCLEAN:
		return syscall.EIO
	case syscall.EAGAIN:
		return syscall.EBUSY // or a user of a file would spin
	}
	return n
}
