package xseg

import (
	"math"
	"math/bits"
)

// bin is one step of a histogram of latencies: n of them took lo <= ns < hi.
type bin struct {
	lo, hi int64
	n      uint64
}

// firstBin is where the first bin of a counter's histogram ends, in ns.
const firstBin = 512

// counterBins makes bins of the log2 histogram that peers keep in the segment.
func counterBins(latency *[32]uint64) []bin {
	bins := make([]bin, 0, len(latency))
	for i, n := range latency {
		b := bin{lo: firstBin / 2 << i, hi: firstBin << i, n: n}
		if i == 0 {
			b.lo = 0
		}
		bins = append(bins, b)
	}
	return bins
}

// quantile returns the latency that a part q of all is below, taking each bin's as spread evenly;
// 0 if there are none. With log2 bins it is wrong by up to a half.
func quantile(bins []bin, q float64) int64 {
	var total uint64
	for _, b := range bins {
		total += b.n
	}
	rank := uint64(math.Ceil(q * float64(total)))
	for _, b := range bins {
		if b.n > 0 && rank <= b.n {
			part := (float64(rank) - 0.5) / float64(b.n)
			return b.lo + int64(max(part, 0)*float64(b.hi-b.lo))
		}
		rank -= min(rank, b.n)
	}
	return 0
}

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
func (l *latencies) quantile(q float64) int64 { return min(max(quantile(l.bins(), q), l.min), l.max) }

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

func (l *latencies) bins() []bin {
	var bins []bin
	for i, n := range l.counts {
		if n > 0 {
			bins = append(bins, bin{fineStart(i), fineStart(i + 1), n})
		}
	}
	return bins
}

// powers sums up what was seen by powers of two, from the first that has any to the last.
func (l *latencies) powers() []bin {
	if l.n == 0 {
		return nil
	}
	first, last := bits.Len64(uint64(l.min)), bits.Len64(uint64(l.max))
	bins := make([]bin, 0, last-first+1)
	for p := first; p <= last; p++ {
		bins = append(bins, bin{lo: 1 << p >> 1, hi: 1 << p})
	}
	for i, n := range l.counts {
		if n > 0 {
			bins[bits.Len64(uint64(fineStart(i)))-first].n += n
		}
	}
	return bins
}
