package peer

import (
	"errors"
	"time"
)

// errOrphaned is why a peer stops whose service manager has died: nobody would restart the others.
var errOrphaned = errors.New("the service manager is gone")

// orphanCheck is how often a peer without a watchdog looks for its service manager.
const orphanCheck = time.Second

// watchdog tells the service manager again and again that every loop is alive: each has run a
// callback since the last time. A loop that hangs isn't reported otherwise: silence is the report.
// It ends with done.
func (p *Peer) watchdog(n *notifier, done <-chan struct{}, orphaned func()) {
	period := orphanCheck
	if n.watchdog > 0 {
		// Three chances to be in time on a machine that is short of processors.
		period = min(period, n.watchdog/3)
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		if n.orphaned() {
			orphaned()
		}
		if n.watchdog > 0 && p.alive(done) {
			n.send("WATCHDOG=1")
		}
	}
}

// alive waits until every loop has run a callback; false if the loops ended instead.
func (p *Peer) alive(done <-chan struct{}) bool {
	ran := make(chan struct{}, len(p.loops))
	for _, l := range p.loops {
		l.Post(func() { ran <- struct{}{} })
	}
	for range p.loops {
		select {
		case <-ran:
		case <-done:
			return false
		}
	}
	return true
}
