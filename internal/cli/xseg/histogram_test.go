package xseg

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

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
			if b.Lo < last || b.Hi <= b.Lo {
				t.Fatalf("bins overlap: %+v", l.powers())
			}
			last, n = b.Hi, n+b.N
		}
		if n != l.n {
			t.Fatalf("bins hold %d of %d", n, l.n)
		}
	})
}
