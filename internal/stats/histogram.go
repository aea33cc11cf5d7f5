package stats

import "math"

// Bin is one step of a histogram of latencies: N of them took Lo <= ns < Hi.
type Bin struct {
	Lo, Hi int64
	N      uint64
}

// FirstBin is where the first bin of a counter's histogram ends, in ns.
const FirstBin = 512

// CounterBins makes bins of the log2 histogram that peers keep in the segment.
func CounterBins(latency *[32]uint64) []Bin {
	bins := make([]Bin, 0, len(latency))
	for i, n := range latency {
		b := Bin{Lo: FirstBin / 2 << i, Hi: FirstBin << i, N: n}
		if i == 0 {
			b.Lo = 0
		}
		bins = append(bins, b)
	}
	return bins
}

// Quantile returns the latency that a part q of all is below, taking each bin's as spread evenly;
// 0 if there are none. With log2 bins it is wrong by up to a half.
func Quantile(bins []Bin, q float64) int64 {
	var total uint64
	for _, b := range bins {
		total += b.N
	}
	rank := uint64(math.Ceil(q * float64(total)))
	for _, b := range bins {
		if b.N > 0 && rank <= b.N {
			part := (float64(rank) - 0.5) / float64(b.N)
			return b.Lo + int64(max(part, 0)*float64(b.Hi-b.Lo))
		}
		rank -= min(rank, b.N)
	}
	return 0
}
