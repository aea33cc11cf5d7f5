package transport

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// TestSoak kills and stops peers at random, and at named steps, under load. Every request of a
// client that lives ends exactly once, with the right answer; no write of a dead client lands after
// one of its successor; whoever lives goes on; and in the end nothing is left.
func TestSoak(t *testing.T) {
	want := 100
	if soak {
		want = 2000
	}
	t.Cleanup(func() {
		if !t.Failed() {
			goleak.VerifyNone(t)
		}
	})
	c := newCrew(t)
	before := c.begin()
	stop := sync.OnceFunc(c.stalls.measureLag())
	defer stop()
	var waits []time.Duration
	for round := 1; c.disturbances() < want; round++ {
		c.disturb()
		// Not a wait for anything: the next disturbance comes at any moment.
		c.pump(time.Duration(c.rng.IntN(int(80*time.Millisecond))), func() bool { return false })
		if round%5 == 0 {
			waits = append(waits, c.settle())
		}
		c.clean()
	}
	c.disarm()
	waits = append(waits, c.settle())
	slices.Sort(waits)
	t.Logf("%d kills, %d kills at steps, %d stops; %d requests; after everybody was up the last client went on within %v (median %v)",
		c.kills, c.steps, c.stops, c.requests(), waits[len(waits)-1], waits[len(waits)/2])

	stop()
	c.stalls.report(t)
	c.leave(c.clients())
	c.n.Empty(t, nrServers/2) // the fronts' channels
	c.sameAs(before)
	c.leave(c.servers())
	c.n.Empty(t, 0)
	if left := sockets(t, c.n); len(left) != 0 {
		t.Errorf("left in the runtime directory: %v", left)
	}
	c.clean()
}

// begin starts servers, looks at what they hold, and starts the clients.
func (c *crew) begin() (before []holdings) {
	c.t.Helper()
	for _, p := range c.servers() {
		c.start(p, false)
	}
	serving := func() bool { return !slices.ContainsFunc(c.servers(), func(p *proc) bool { return !p.up }) }
	if !c.pump(xsegtest.Patience, serving) {
		c.t.Fatal("the servers don't come up")
	}
	before = c.holdings()
	for _, p := range c.clients() {
		c.start(p, false)
	}
	c.settle()
	return before
}

// clean fails if a peer has noted a failure.
func (c *crew) clean() {
	c.t.Helper()
	if f := failures(c.dir); f != "" {
		c.t.Fatal(f)
	}
}

// disarm replaces those that would still kill themselves at a step.
func (c *crew) disarm() {
	c.dismiss()
	for _, p := range c.procs {
		if p.trapped {
			c.kill(p)
		}
	}
	if !c.pump(xsegtest.Patience, func() bool {
		return !slices.ContainsFunc(c.procs, func(p *proc) bool { return p.trapped })
	}) {
		c.wedged("a killed process has not ended")
	}
}

func (c *crew) requests() (n uint64) {
	for _, j := range c.journals {
		n += j.next()
	}
	return n
}

// holdings asks every server.
func (c *crew) holdings() (all []holdings) {
	for i := range nrServers {
		all = append(all, held(c.t, c.n, xseg.PortNo(firstLeaf+i)))
	}
	return all
}

// sameAs checks that servers hold no more than they did before they had met any client's death.
// What looks after a dead client's channel takes up to seconds to end.
func (c *crew) sameAs(before []holdings) {
	xsegtest.Eventually(c.t, "servers hold no more goroutines and descriptors than at the start", func() bool {
		for i, h := range c.holdings() {
			if h.goroutines > before[i].goroutines || h.descriptors > before[i].descriptors {
				c.t.Logf("server %d: %+v, was %+v", i, h, before[i])
				return false
			}
		}
		return true
	})
}
