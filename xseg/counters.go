package xseg

import (
	"math/bits"
	"sync/atomic"

	"archipelago/xseg/internal/abi"
)

// Counters is a snapshot of a port's or channel's counters.
type Counters struct {
	Requests, Errors, BytesRead, BytesWritten, InFlight, Wakes, Restarts uint64
	Latency                                                              [32]uint64 // [i]: 2^i <= ns/256 < 2^(i+1)
}

func loadCounters(c *abi.Counters) (out Counters) {
	out = Counters{
		Requests: c.Requests.Load(), Errors: c.Errors.Load(),
		BytesRead: c.BytesRead.Load(), BytesWritten: c.BytesWritten.Load(),
		InFlight: c.InFlight.Load(), Wakes: c.Wakes.Load(), Restarts: c.Restarts.Load(),
	}
	for i := range out.Latency {
		out.Latency[i] = c.Latency[i].Load()
	}
	return out
}

func zeroCounters(c *abi.Counters) {
	c.Requests.Store(0)
	c.Errors.Store(0)
	c.BytesRead.Store(0)
	c.BytesWritten.Store(0)
	c.InFlight.Store(0)
	c.Wakes.Store(0)
	c.Restarts.Store(0)
	for i := range c.Latency {
		c.Latency[i].Store(0)
	}
}

// tally gathers what a loop counts in a batch, so that it goes to shared memory once.
type tally struct {
	requests, errors, read, written uint64
	inFlight                        int64 // change
	latency                         [abi.HistBuckets]uint64
	touched                         uint32 // bit per bucket of latency that isn't 0
}

func (t *tally) end(op uint32, failed bool, bytes uint64) {
	t.requests++
	switch {
	case failed:
		t.errors++
	case op == OpRead:
		t.read += bytes
	case op == OpWrite:
		t.written += bytes
	}
}

func (t *tally) took(ns int64, n uint64) {
	b := bucket(ns)
	t.latency[b] += n
	t.touched |= 1 << b
}

// flush adds the tally to c and clears it.
func (t *tally) flush(c *abi.Counters) {
	if t.requests|t.errors|uint64(t.inFlight)|uint64(t.touched) == 0 {
		return
	}
	for _, f := range [...]struct {
		n  *uint64
		to *atomic.Uint64
	}{
		{&t.requests, &c.Requests}, {&t.errors, &c.Errors},
		{&t.read, &c.BytesRead}, {&t.written, &c.BytesWritten},
	} {
		if *f.n != 0 {
			f.to.Add(*f.n)
			*f.n = 0
		}
	}
	if t.inFlight != 0 {
		c.InFlight.Add(uint64(t.inFlight))
		t.inFlight = 0
	}
	for ; t.touched != 0; t.touched &= t.touched - 1 {
		b := bits.TrailingZeros32(t.touched)
		c.Latency[b].Add(t.latency[b])
		t.latency[b] = 0
	}
}

// countEnd counts one request that ended after ns, from any goroutine.
func countEnd(c *abi.Counters, op uint32, failed bool, bytes uint64, ns int64) {
	var t tally
	t.end(op, failed, bytes)
	t.inFlight = -1
	t.took(ns, 1)
	t.flush(c)
}

// bucket returns the histogram bucket of a latency.
func bucket(ns int64) int {
	if ns < 512 {
		return 0
	}
	return min(bits.Len64(uint64(ns)>>8)-1, abi.HistBuckets-1)
}
