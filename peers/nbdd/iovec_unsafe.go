package nbdd

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readv reads once. Precondition: iov is not empty and what it points to is kept alive.
func readv(fd int, iov []unix.Iovec) (int, syscall.Errno) {
	return vectored(unix.SYS_READV, fd, iov)
}

// writev writes once. Precondition: as for readv.
func writev(fd int, iov []unix.Iovec) (int, syscall.Errno) {
	return vectored(unix.SYS_WRITEV, fd, iov)
}

// vectored repeats what a signal interrupted: the runtime preempts goroutines by signals.
func vectored(trap uintptr, fd int, iov []unix.Iovec) (int, syscall.Errno) {
	for {
		n, _, errno := unix.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)))
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// epollNow fetches the events that are there.
func epollNow(fd int, events []unix.EpollEvent) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(fd), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
