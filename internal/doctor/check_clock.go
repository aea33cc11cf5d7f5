package doctor

import (
	"fmt"
	"time"
)

// builtAfter is a time at which this program didn't exist.
var builtAfter = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// checkClock is about people who read logs and lists: no decision rests on the time of day, and no
// two nodes' clocks are compared.
func checkClock(e *env, f *found) {
	now := e.now()
	f.summary = now.UTC().Format(time.RFC3339)
	if now.Before(builtAfter) {
		f.warn(fmt.Sprintf("the clock says %s", now.UTC().Format(time.RFC3339)),
			"Set it: the times of volumes and in logs are wrong (nothing else depends on it).")
		return
	}
	synced, err := e.synced()
	switch {
	case err != nil:
		f.note(fmt.Sprintf("ask the kernel whether the clock is kept right: %v", err), "")
	case !synced:
		f.note("nothing keeps the clock right", "Run chrony or systemd-timesyncd: logs of several nodes can't be compared else.")
	}
}
