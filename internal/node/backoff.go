package node

import "time"

// Restart tuning. A peer that dies is started again at once: clients are waiting. One that keeps
// dying before it has served for a moment waits longer each time, so that a broken configuration
// doesn't eat the machine.
const (
	backoffFirst = 10 * time.Millisecond
	backoffMax   = time.Second
	// backoffKilled is the longest for a peer that was ready and then killed: nothing says that it is
	// broken, and clients wait. It isn't nothing, for the killer may be a machine without memory.
	backoffKilled = 50 * time.Millisecond
	// servedWell: a peer that was ready for this long starts afresh.
	servedWell = 500 * time.Millisecond
)

// backoff is the delay of a role's restarts.
type backoff struct{ last time.Duration }

// next returns how long to wait after a process that was ready for the given time (0 = never) and,
// maybe, killed.
func (b *backoff) next(served time.Duration, killed bool) time.Duration {
	switch {
	case served >= servedWell:
		b.last = 0
	case served > 0 && killed:
		b.last = min(max(2*b.last, backoffFirst), backoffKilled)
	case b.last == 0:
		b.last = backoffFirst
	default:
		b.last = min(2*b.last, backoffMax)
	}
	return b.last
}
