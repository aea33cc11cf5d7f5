package nbd

import (
	"fmt"
	"syscall"
)

// Errno is the error of a reply: the few numbers that the protocol allows.
type Errno uint32

// Errors of replies.
const (
	EPERM     Errno = 1
	EIO       Errno = 5
	ENOMEM    Errno = 12
	EINVAL    Errno = 22
	ENOSPC    Errno = 28
	EOVERFLOW Errno = 75
	ENOTSUP   Errno = 95
	ESHUTDOWN Errno = 108
)

// FromSyscall turns any errno into one that the protocol allows; 0 stays 0.
func FromSyscall(e syscall.Errno) Errno {
	switch e {
	case 0:
		return 0
	case syscall.EPERM, syscall.EACCES, syscall.EROFS:
		return EPERM
	case syscall.ENOMEM:
		return ENOMEM
	case syscall.EINVAL:
		return EINVAL
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG:
		return ENOSPC
	case syscall.ESHUTDOWN:
		return ESHUTDOWN
	}
	// Everything else, EOVERFLOW and ENOTSUP among them, has a meaning of its own in the protocol
	// that a failure further down must not take on.
	return EIO
}

// Error is the text of the errno.
func (e Errno) Error() string {
	switch e {
	case EPERM, EIO, ENOMEM, EINVAL, ENOSPC, EOVERFLOW, ENOTSUP, ESHUTDOWN:
		return syscall.Errno(e).Error()
	}
	return fmt.Sprintf("error %d", uint32(e))
}
