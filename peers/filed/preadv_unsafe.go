package filed

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// preadNowait is preadv2 with RWF_NOWAIT and one vector that stays on the stack.
func preadNowait(fd int, p []byte, off int64) (int, error) {
	v := unix.Iovec{Base: unsafe.SliceData(p)}
	v.SetLen(len(p))
	// The fifth argument is the upper half of the offset on 32-bit machines; 0 here.
	n, _, errno := unix.Syscall6(unix.SYS_PREADV2, uintptr(fd), uintptr(unsafe.Pointer(&v)), 1,
		uintptr(off), 0, unix.RWF_NOWAIT)
	if errno != 0 {
		return 0, syscall.Errno(errno)
	}
	return int(n), nil
}
