package shm

import (
	"time"

	"golang.org/x/sys/unix"
)

// Boottime returns nanoseconds on CLOCK_BOOTTIME.
func Boottime() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return uint64(ts.Nano())
}

// started and startedMono are one instant on the runtime's monotonic clock and on
// CLOCK_MONOTONIC: time.Since reads one clock without a system call, and costs half of time.Now.
var started, startedMono = clockBase()

func clockBase() (time.Time, int64) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return time.Now(), 0
	}
	return time.Now(), ts.Nano()
}

// Monotonic returns nanoseconds on CLOCK_MONOTONIC.
func Monotonic() int64 { return startedMono + int64(time.Since(started)) }
