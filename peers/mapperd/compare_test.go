package mapperd

import (
	"math/rand/v2"
	"slices"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// diffAll asks for all ranges, with room for n in each answer.
func diffAll(t *testing.T, e *Engine, name, other string, n int) (all []mapper.Range) {
	t.Helper()
	op := mapper.Op{Kind: mapper.Diff, Name: name, Other: other, Ranges: make([]mapper.Range, n)}
	for {
		must(t, mapper.Do(e, &op))
		all = append(all, op.Ranges[:op.N]...)
		if !op.More {
			return all
		}
	}
}

// at is a sub-block as a range.
func at(index, sub, n int64, kind mapper.RangeKind) mapper.Range {
	return mapper.Range{Offset: index*testObject + sub*testSub, Length: n * testSub, Kind: kind}
}

func TestDiff(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	mustWrite(t, w, v, 3, 0, 1)
	mustWrite(t, w, v, 1030, 0, 1)
	_, err := snapshot(e, "v", "s")
	must(t, err)
	if got := diffAll(t, e, "v", "s", 8); len(got) != 0 {
		t.Errorf("nothing has changed: %v", got)
	}
	mustWrite(t, w, v, 0, 2, 2)
	mustWrite(t, w, v, 0, 3, 2)
	mustWrite(t, w, v, 0, 5, 2)
	must(t, discard(e, v, 3))
	want := []mapper.Range{
		at(0, 2, 2, mapper.RangeData), at(0, 5, 1, mapper.RangeData), at(3, 0, testSubs, mapper.RangeZero),
	}
	for range 2 {
		for _, room := range []int{100, 2} {
			if got := diffAll(t, e, "v", "s", room); !slices.Equal(got, want) {
				t.Errorf("room for %d: %v, want %v", room, got, want)
			}
		}
		must(t, flush(e, v))
	}
	// With less room than an object needs the whole of it is told.
	coarse := []mapper.Range{at(0, 0, testSubs, mapper.RangeData), want[2]}
	if got := diffAll(t, e, "v", "s", 1); !slices.Equal(got, coarse) {
		t.Errorf("room for one: %v", got)
	}
	_, err = do(e, mapper.Op{Kind: mapper.Clone, Name: "c", Other: "s", Size: 2 * testSize})
	must(t, err)
	if got := diffAll(t, e, "c", "s", 8); len(got) != 0 {
		t.Errorf("a larger clone: %v", got)
	}
}

// TestDiffFindsAll: whatever is written, what a diff doesn't tell is equal.
func TestDiffFindsAll(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	values := map[place]uint64{}
	write := func(n int) {
		for i := range n {
			p := place{r.Int64N(3) * 1023, r.IntN(testSubs)}
			values[p] = uint64(i + 1)
			mustWrite(t, w, v, p.index, p.sub, values[p])
		}
	}
	write(60)
	s, err := snapshot(e, "v", "s")
	must(t, err)
	write(20)
	_, err = snapshot(e, "v", "s2")
	must(t, err)
	write(20)
	told := diffAll(t, e, "v", "s", 3)
	for p := range values {
		offset := p.index*testObject + int64(p.sub)*testSub
		if slices.ContainsFunc(told, func(x mapper.Range) bool { return x.Offset <= offset && offset < x.Offset+x.Length }) {
			continue
		}
		wantSub(t, w, s, p.index, p.sub, values[p])
	}
}

func TestUsage(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	usage := func(name string) mapper.Usage {
		t.Helper()
		op, err := do(e, mapper.Op{Kind: mapper.UsageOf, Name: name})
		must(t, err)
		return op.Usage
	}
	want := func(name string, want mapper.Usage) {
		t.Helper()
		if got := usage(name); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	want("v", mapper.Usage{})
	mustWrite(t, w, v, 0, 0, 1)
	mustWrite(t, w, v, 1030, 0, 1)
	want("v", mapper.Usage{Allocated: 2 * testObject, Exclusive: 2 * testObject, Objects: 2})
	_, err := snapshot(e, "v", "s")
	must(t, err)
	mustWrite(t, w, v, 0, 0, 1)
	want("v", mapper.Usage{Allocated: 2*testObject + testSub, Exclusive: testSub, Shared: 2 * testObject, Objects: 2})
	want("s", mapper.Usage{Allocated: 2 * testObject, Shared: 2 * testObject, Objects: 2})
	e = w.restart()
	want("v", mapper.Usage{Allocated: 2*testObject + testSub, Exclusive: testSub, Shared: 2 * testObject, Objects: 2})
	if mapfmt.SubBlockSize(testObject) != testSub {
		t.Error("sizes of the test")
	}
}
