package node

import "time"

// Restart tuning. A peer that dies is started again at once: clients are waiting. One that keeps
// dying before it has served for a moment waits longer each time, so that a broken configuration
// doesn't eat the machine.
const (
	backoffFirst = 10 * time.Millisecond
	backoffMax   = time.Second
	// servedWell: a peer that was ready for this long starts afresh.
	servedWell = 500 * time.Millisecond
)

// backoff is the delay of a role's restarts.
type backoff struct{ last time.Duration }

// next returns how long to wait after a process that was ready for the given time (0 = never).
func (b *backoff) next(served time.Duration) time.Duration {
	switch {
	case served >= servedWell:
		b.last = 0
	case b.last == 0:
		b.last = backoffFirst
	default:
		b.last = min(2*b.last, backoffMax)
	}
	return b.last
}
