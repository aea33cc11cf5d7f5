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

// NapLimit ends a nap: the first part of a sleep, in which the runtime takes the thread for a running
// one. It would else take the processor (its P) away from it, and to get one back after a short sleep
// costs a second wake-up: of a thread that has one and hands it over. The garbage collector waits for
// the thread so long at most; less, for the signal that asks it to stop ends the nap.
var NapLimit = unix.Timespec{Nsec: 4_000_000}

// Wait sleeps while the word is val, until woken or a limit of seconds. It may return early. With nap
// it begins with one: for those who expect to be woken before it is over, else it costs a wake-up
// more. A thread that naps keeps its P: the process needs one more than there are such threads.
func Wait(word *atomic.Uint32, val uint32, nap bool) {
	at := uintptr(unsafe.Pointer(word))
	if nap {
		_, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, at, futexWait, uintptr(val), uintptr(unsafe.Pointer(&NapLimit)), 0, 0)
		if errno != unix.ETIMEDOUT {
			return
		}
	}
	// The error is of no interest: after every return the caller looks at its rings again.
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, at, futexWait, uintptr(val), uintptr(unsafe.Pointer(&WaitLimit)), 0, 0)
}

// Wake wakes whoever sleeps on the word.
func Wake(word *atomic.Uint32) {
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake,
		1, 0, 0, 0)
}

// Yield lets another thread run on this core.
func Yield() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
