package powercut

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

// TestMain makes the collector of garbage rarer: a state lives for less than a millisecond, and few
// at a time. Nothing runs beside something else that it doesn't wait for, so one processor is faster
// than two.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}
