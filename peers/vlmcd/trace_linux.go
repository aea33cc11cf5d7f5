package vlmcd

import "golang.org/x/sys/unix"

// monotonic is the clock of xseg.Request.Received, in nanoseconds.
func monotonic() int64 {
	var ts unix.Timespec
	// Fails for an unknown clock only.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}
