package pages

import (
	"testing"

	"pgregory.net/rapid"
)

// TestModel compares the map with a plain slice of bools under random takes and gives.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "pages")
		p, taken := New(n), make([]bool, n)
		runs := map[int]int{}
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				k := rapid.IntRange(1, 130).Draw(t, "run")
				want := firstFit(taken, k)
				if got := p.Take(k); got != want {
					t.Fatalf("Take(%d) = %d, want %d", k, got, want)
				}
				if want >= 0 {
					runs[want] = k
					fill(taken, want, k, true)
				}
			},
			"give": func(t *rapid.T) {
				if len(runs) == 0 {
					t.Skip("nothing taken")
				}
				first := rapid.SampledFrom(keys(runs)).Draw(t, "first")
				p.Give(first, runs[first])
				fill(taken, first, runs[first], false)
				delete(runs, first)
			},
			"": func(t *rapid.T) {
				if p.Used() != count(taken) {
					t.Fatalf("Used() = %d, want %d", p.Used(), count(taken))
				}
			},
		})
	})
}

func firstFit(taken []bool, k int) int {
	run := 0
	for i, b := range taken {
		if run++; b {
			run = 0
		}
		if run == k {
			return i - k + 1
		}
	}
	return -1
}

func fill(taken []bool, first, k int, v bool) {
	for i := first; i < first+k; i++ {
		taken[i] = v
	}
}

func count(taken []bool) (n int) {
	for _, b := range taken {
		if b {
			n++
		}
	}
	return n
}

func keys(m map[int]int) []int {
	var ks []int
	for i := range 300 {
		if _, ok := m[i]; ok {
			ks = append(ks, i)
		}
	}
	return ks
}

func BenchmarkTakeGive(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
	}{{"1page", 1}, {"4MiB", 1024}} {
		b.Run(c.name, func(b *testing.B) {
			p := New(64 << 8)
			b.ReportAllocs()
			for b.Loop() {
				p.Give(p.Take(c.n), c.n)
			}
		})
	}
}
