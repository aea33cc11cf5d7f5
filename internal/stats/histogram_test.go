package stats

import "testing"

func TestQuantileOfCounters(t *testing.T) {
	var none [32]uint64
	if got := Quantile(CounterBins(&none), 0.5); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
	latency := none
	latency[0], latency[3], latency[31] = 50, 49, 1
	bins := CounterBins(&latency)
	for _, c := range []struct {
		q      float64
		lo, hi int64
	}{
		{0.01, 0, 50}, {0.5, 500, 511}, {0.51, 2048, 2100}, {0.99, 4000, 4095}, {1, 256 << 31, 512 << 31},
	} {
		if got := Quantile(bins, c.q); got < c.lo || got > c.hi {
			t.Errorf("quantile %v = %d, want %d to %d", c.q, got, c.lo, c.hi)
		}
	}
}
