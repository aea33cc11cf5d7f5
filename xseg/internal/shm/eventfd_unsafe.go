//go:build linux

package shm

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NewEventfd makes an eventfd: close-on-exec, and neither reading nor writing it blocks.
func NewEventfd() (int, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return -1, os.NewSyscallError("eventfd", err)
	}
	return fd, nil
}

// eventfdLink is what the kernel calls an eventfd in /proc.
const eventfdLink = "anon_inode:[eventfd]"

// CheckEventfd tells whether fd, which came from somewhere else, is an eventfd, and makes sure
// that writing it doesn't block.
func CheckEventfd(fd int) error {
	link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return err
	}
	if link != eventfdLink {
		return fmt.Errorf("descriptor is %s, not an eventfd", link)
	}
	return unix.SetNonblock(fd, true)
}

// SignalEventfd wakes whoever waits on fd.
func SignalEventfd(fd int) {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	// Full, it is signalled already; closed, nobody waits for it.
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), 8)
}

// WaitEventfd blocks until fd was signalled, other (-1: none) is readable, or the limit of Wait has
// passed, and takes the signal. It may return early. nap is that of Wait.
func WaitEventfd(fd, other int, nap bool) {
	// poll takes no notice of a negative descriptor.
	p := [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(other), Events: unix.POLLIN}}
	at, over := uintptr(unsafe.Pointer(&p)), true
	if nap {
		limit := NapLimit // a copy: the call counts it down
		n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, at, uintptr(len(p)), uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
		over = n == 0 && errno == 0
	}
	if over {
		limit := WaitLimit
		_, _, _ = unix.Syscall6(unix.SYS_PPOLL, at, uintptr(len(p)), uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	}
	if p[0].Revents == 0 {
		return
	}
	var count [8]byte
	_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&count)), 8)
}

// CloseFD closes a descriptor that no other part of the program has.
func CloseFD(fd int) { _ = syscall.Close(fd) }
