package xseg

import (
	"math/bits"

	"archipelago/internal/stats"
)

// Latencies are counted in steps of 1/fine of a power of two.
const (
	fineBits = 5
	fine     = 1 << fineBits
)

// latencies gathers what the pings took: finer than the histogram in the segment, and all that is
// needed of millions in little memory.
type latencies struct {
	counts   [(64 - fineBits) * fine]uint64
	n        uint64
	sum      int64
	min, max int64 // ns; of n > 0
}

func (l *latencies) add(ns int64) {
	ns = max(ns, 0)
	if l.n == 0 || ns < l.min {
		l.min = ns
	}
	l.max = max(l.max, ns)
	l.n++
	l.sum += ns
	l.counts[fineIndex(ns)]++
}

func (l *latencies) mean() int64 {
	if l.n == 0 {
		return 0
	}
	return l.sum / int64(l.n)
}

// quantile is never outside of what was seen.
func (l *latencies) quantile(q float64) int64 {
	return min(max(stats.Quantile(l.bins(), q), l.min), l.max)
}

func fineIndex(ns int64) int {
	if ns < fine {
		return int(ns)
	}
	shift := bits.Len64(uint64(ns)) - fineBits - 1
	return shift*fine + int(ns>>shift)
}

// fineStart is the smallest latency of a step.
func fineStart(i int) int64 {
	if i < 2*fine {
		return int64(i)
	}
	shift := i/fine - 1
	return int64(i-shift*fine) << shift
}

func (l *latencies) bins() []stats.Bin {
	var bins []stats.Bin
	for i, n := range l.counts {
		if n > 0 {
			bins = append(bins, stats.Bin{Lo: fineStart(i), Hi: fineStart(i + 1), N: n})
		}
	}
	return bins
}

// powers sums up what was seen by powers of two, from the first that has any to the last.
func (l *latencies) powers() []stats.Bin {
	if l.n == 0 {
		return nil
	}
	first, last := bits.Len64(uint64(l.min)), bits.Len64(uint64(l.max))
	bins := make([]stats.Bin, 0, last-first+1)
	for p := first; p <= last; p++ {
		bins = append(bins, stats.Bin{Lo: 1 << p >> 1, Hi: 1 << p})
	}
	for i, n := range l.counts {
		if n > 0 {
			bins[bits.Len64(uint64(fineStart(i)))-first].N += n
		}
	}
	return bins
}
