package transport

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is a clock that all processes share, in nanoseconds.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

// sayServing tells the crew since when a server serves.
func sayServing() { fmt.Println("serving", monotonic()) }

// watch waits for the first answer that a client gets from the successor of a killed server.
type watch struct {
	client, server *proc
	route          int
	since          int64 // when the successor began to serve
	quiet          []marks
}

// marks tell whether a process has been disturbed since.
type marks struct {
	p            *proc
	lives, stops int
}

func (m *marks) disturbed() bool { return m.p.lives != m.lives || m.p.stops != m.stops || m.p.leaving }

// stalls gathers what kills of servers cost the clients that lived on.
type stalls struct {
	open  []watch
	took  []time.Duration // from the successor's readiness to the first answer
	spare []time.Duration // from the end of a server to its successor's readiness
	lags  []time.Duration
}

// lagEvery is how often the machine's own delay is looked at.
const lagEvery = 2 * time.Millisecond

// measureLag notes, until the returned function is called, how late a timer of this process comes:
// what the machine itself does to whoever waits for something, to be seen beside the rest.
func (s *stalls) measureLag() (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTimer(lagEvery)
		defer tick.Stop()
		for {
			due := time.Now().Add(lagEvery)
			tick.Reset(lagEvery)
			select {
			case <-end:
				return
			case <-tick.C:
				s.lags = append(s.lags, time.Since(due))
			}
		}
	}()
	return func() { close(end); <-ended }
}

// serving is what the successor of a killed server says: all its clients wait for an answer now.
func (c *crew) serving(p *proc, line string) {
	since, err := strconv.ParseInt(strings.TrimPrefix(line, "serving "), 10, 64)
	if err != nil || p.ended == 0 {
		return
	}
	c.stalls.spare = append(c.stalls.spare, time.Duration(since-p.ended))
	p.ended = 0
	for _, cl := range c.clients() {
		for route, at := range c.path(cl) {
			if !slices.Contains(at, p) || p != at[0] {
				continue
			}
			w := watch{client: cl, server: p, route: route, since: since}
			ready := cl.up && !cl.stopped
			for _, q := range append(at, cl) {
				ready = ready && !q.stopped && (q == p || q.up)
				w.quiet = append(w.quiet, marks{q, q.lives, q.stops})
			}
			if ready {
				c.stalls.open = append(c.stalls.open, w)
			}
		}
	}
}

// path returns per route of a client whom its requests pass.
func (c *crew) path(cl *proc) [nrRoutes][]*proc {
	leaf, front := c.procs[cl.no%2], c.procs[2+cl.no/2%2]
	return [nrRoutes][]*proc{{leaf}, {front, c.procs[front.no-2]}}
}

// look takes the measure of those watches that have seen an answer, and forgets those into which
// another disturbance came.
func (c *crew) look() {
	c.stalls.open = slices.DeleteFunc(c.stalls.open, func(w watch) bool {
		if slices.ContainsFunc(w.quiet, func(m marks) bool { return m.disturbed() }) {
			return true
		}
		at, ok := c.journals[w.client.no].firstEnd(w.route, w.since)
		if ok {
			c.stalls.took = append(c.stalls.took, time.Duration(at-w.since))
		}
		return ok
	})
}

func (s *stalls) report(t *testing.T) {
	for _, of := range []struct {
		what string
		d    []time.Duration
	}{
		{"from the end of a killed server until its successor served", s.spare},
		{"from then to a client's first answer", s.took},
		{"a timer of this process came late by", s.lags},
	} {
		if n := len(of.d); n != 0 {
			slices.Sort(of.d)
			t.Logf("%s: median %v, p99 %v, longest %v (%d)", of.what,
				of.d[n/2].Round(time.Microsecond), of.d[n*99/100].Round(time.Microsecond), of.d[n-1].Round(time.Microsecond), n)
		}
	}
}
