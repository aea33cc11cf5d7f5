package xseg

import (
	"math/bits"

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

// countEnd counts one request that ended after ns.
func countEnd(c *abi.Counters, op uint32, failed bool, bytes uint64, ns int64) {
	c.Requests.Add(1)
	c.Latency[bucket(ns)].Add(1)
	switch {
	case failed:
		c.Errors.Add(1)
	case op == OpRead:
		c.BytesRead.Add(bytes)
	case op == OpWrite:
		c.BytesWritten.Add(bytes)
	}
}

// bucket returns the histogram bucket of a latency.
func bucket(ns int64) int {
	if ns < 512 {
		return 0
	}
	return min(bits.Len64(uint64(ns)>>8)-1, abi.HistBuckets-1)
}
