package xseg

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestQuantileOfCounters(t *testing.T) {
	var none [32]uint64
	if got := quantile(counterBins(&none), 0.5); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
	latency := none
	latency[0], latency[3], latency[31] = 50, 49, 1
	bins := counterBins(&latency)
	for _, c := range []struct {
		q      float64
		lo, hi int64
	}{
		{0.01, 0, 50}, {0.5, 500, 511}, {0.51, 2048, 2100}, {0.99, 4000, 4095}, {1, 256 << 31, 512 << 31},
	} {
		if got := quantile(bins, c.q); got < c.lo || got > c.hi {
			t.Errorf("quantile %v = %d, want %d to %d", c.q, got, c.lo, c.hi)
		}
	}
}

// TestFineSteps: each latency lies in its step, and no step is wider than 1/fine of what lies in it.
func TestFineSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Int64Range(0, math.MaxInt64>>1).Draw(t, "ns") >> rapid.IntRange(0, 61).Draw(t, "shift")
		i := fineIndex(ns)
		lo, hi := fineStart(i), fineStart(i+1)
		if ns < lo || ns >= hi || hi-lo > max(1, lo/fine) {
			t.Fatalf("%d is in step %d, from %d to %d", ns, i, lo, hi)
		}
	})
}

// TestLatencies compares with what sorting all of them says.
func TestLatencies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Int64Range(0, 1e10), 1, 300).Draw(t, "all")
		var l latencies
		var sum int64
		for _, ns := range all {
			l.add(ns)
			sum += ns
		}
		slices.Sort(all)
		if l.min != all[0] || l.max != all[len(all)-1] || l.mean() != sum/int64(len(all)) || l.n != uint64(len(all)) {
			t.Fatalf("min %d max %d mean %d n %d of %v", l.min, l.max, l.mean(), l.n, all)
		}
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		want := all[max(int(math.Ceil(q*float64(len(all))))-1, 0)]
		if got := l.quantile(q); math.Abs(float64(got-want)) > 1+float64(want)/fine {
			t.Fatalf("quantile %v = %d, want about %d", q, got, want)
		}
		var n uint64
		last := int64(-1)
		for _, b := range l.powers() {
			if b.lo < last || b.hi <= b.lo {
				t.Fatalf("bins overlap: %+v", l.powers())
			}
			last, n = b.hi, n+b.n
		}
		if n != l.n {
			t.Fatalf("bins hold %d of %d", n, l.n)
		}
	})
}
