//go:build linux

package shm

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	futexWait = 0
	futexWake = 1
)

// WaitLimit ends every sleep. It is no timer that anything depends on: only a bound on what a
// fault of the protocol could cost, slow enough that an idle node costs nothing.
var WaitLimit = unix.Timespec{Sec: 2}

// Wait sleeps while the word is val, until woken or a limit of seconds. It may return early. It
// is a full system call for the runtime: a thread that sleeps here doesn't hold up the garbage
// collector.
func Wait(word *atomic.Uint32, val uint32) {
	// The error is of no interest: after every return the caller looks at its rings again.
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait,
		uintptr(val), uintptr(unsafe.Pointer(&WaitLimit)), 0, 0)
}

// Wake wakes whoever sleeps on the word.
func Wake(word *atomic.Uint32) {
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake,
		1, 0, 0, 0)
}

// Yield lets another thread run on this core.
func Yield() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
