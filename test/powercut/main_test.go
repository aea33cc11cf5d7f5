package powercut

import (
	"fmt"
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

// explored counts the states of all tests that plant no fault; longestWait is the longest time for
// which nothing happened in a run: more than a moment is the machine's, or a wait that engines
// shouldn't need.
var (
	explored    int
	longestWait time.Duration
)

// TestMain lets the collector of garbage run only when there is much: a state lives for less than a
// millisecond, and few at a time. Nothing runs beside something else that it doesn't wait for, so
// one processor is faster than two.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(400 << 20)
	code := m.Run()
	fmt.Printf("power cuts: %d states; the longest wait was %v\n", explored, longestWait)
	os.Exit(code)
}
