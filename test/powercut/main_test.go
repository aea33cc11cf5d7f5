package powercut

import (
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
)

// cpu is the processor time that the process has used.
func cpu(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestMain lets the collector of garbage run only when there is much: a state lives for less than a
// millisecond, and few at a time. Nothing runs beside something else that it doesn't wait for, so
// one processor is faster than two.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(400 << 20)
	os.Exit(m.Run())
}
