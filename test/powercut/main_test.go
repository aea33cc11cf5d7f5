package powercut

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain makes the collector of garbage rarer: a state lives for less than a millisecond, and few
// at a time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}
