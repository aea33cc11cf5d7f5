package nbdd

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readv reads once. Precondition: iov is not empty and what it points to is kept alive.
func readv(fd uintptr, iov []unix.Iovec) (int, syscall.Errno) {
	return vectored(unix.SYS_READV, fd, iov)
}

// writev writes once. Precondition: as for readv.
func writev(fd uintptr, iov []unix.Iovec) (int, syscall.Errno) {
	return vectored(unix.SYS_WRITEV, fd, iov)
}

// vectored repeats what a signal interrupted: the runtime preempts goroutines by signals.
func vectored(trap, fd uintptr, iov []unix.Iovec) (int, syscall.Errno) {
	for {
		n, _, errno := unix.Syscall(trap, fd, uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)))
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}
