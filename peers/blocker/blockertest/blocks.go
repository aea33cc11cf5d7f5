package blockertest

import (
	"bytes"
	"fmt"
	"testing"

	"archipelago/peers/blocker"
)

const block = 4096

// piece is a range of an object that one writer has for itself.
type piece struct{ from, to int }

// pieces divide two blocks and a half unevenly; most edges lie inside a block.
var pieces = []piece{{0, 511}, {511, 512}, {512, 1700}, {1700, 4096}, {4096, 4100}, {4100, 7000}, {7000, 9001}, {9001, 10000}}

// testDisjoint changes disjoint parts of the same blocks from many sides: each side reads what it
// has written, whatever the others do beside it.
func testDisjoint(t *testing.T, f *fixture) {
	f.write("dis/src", 0, pattern(9, 10000))
	f.write("dis/x", 0, make([]byte, 10000))
	parallel(len(pieces), func(i int) {
		p := pieces[i]
		for round := range 8 {
			op := &blocker.Op{Kind: blocker.Write, Name: "dis/x", Offset: int64(p.from)}
			want := pattern(uint64(i*100+round), p.to-p.from)
			switch round % 4 {
			case 1:
				op.Kind, op.Length, want = blocker.WriteZeroes, int64(len(want)), make([]byte, len(want))
			case 2:
				op.Kind, op.Length = blocker.Copy, int64(len(want))
				op.Source, op.SourceOffset = "dis/src", int64(p.from)
				want = pattern(9, 10000)[p.from:p.to]
			default:
				op.Data = want
			}
			f.must(op)
			if at := differ(f.read("dis/x", int64(p.from), len(want)), want); at >= 0 {
				t.Errorf("%s: byte %d of %d isn't what was written", describe(op), at, len(want))
				return
			}
		}
	})
	if n := f.size("dis/x"); n != 10000 {
		t.Errorf("size is %d", n)
	}
}

// testDisjointGrowth has many writers make an object longer at once: none cuts off or covers what
// another one has written.
func testDisjointGrowth(_ *testing.T, f *fixture) {
	for round := range 6 {
		name := fmt.Sprintf("grow/%d", round)
		want := pattern(uint64(round), 10000)
		parallel(len(pieces), func(i int) {
			p := pieces[(i+round)%len(pieces)]
			f.write(name, int64(p.from), want[p.from:p.to])
		})
		f.holds(name, want)
	}
}

// testWholeAndPart writes a whole block, and a part of it, at once: the part doesn't bring back
// what the rest was before.
func testWholeAndPart(t *testing.T, f *fixture) {
	const from, to = 1000, 1100
	f.write("part/x", 0, make([]byte, 2*block))
	for round := range 25 {
		whole := bytes.Repeat([]byte{byte(1 + 2*round)}, block)
		part := bytes.Repeat([]byte{byte(2 + 2*round)}, to-from)
		parallel(2, func(i int) {
			if i == 0 {
				f.write("part/x", 0, whole)
			} else {
				f.write("part/x", from, part)
			}
		})
		got := f.read("part/x", 0, block)
		in := got[from:to]
		if !bytes.Equal(got[:from], whole[:from]) || !bytes.Equal(got[to:], whole[to:]) {
			t.Fatalf("round %d: the whole block's bytes are gone", round)
		}
		if !bytes.Equal(in, part) && !bytes.Equal(in, whole[from:to]) {
			t.Fatalf("round %d: the part is neither's", round)
		}
	}
}

// testTailSpace gives the last block of an object back, which it fills in part.
func testTailSpace(t *testing.T, f *fixture) {
	data := pattern(1, 64*kib+100)
	f.write("tail/x", 0, data)
	f.must(&blocker.Op{Kind: blocker.Sync})
	f.must(&blocker.Op{Kind: blocker.Discard, Name: "tail/x", Offset: 10, Length: 1 << 20})
	clear(data[10:])
	f.holds("tail/x", data)
	f.must(&blocker.Op{Kind: blocker.Discard, Name: "tail/x", Length: 1 << 20})
	f.must(&blocker.Op{Kind: blocker.Sync})
	if n := f.must(&blocker.Op{Kind: blocker.Stat, Name: "tail/x"}).Allocated; n != 0 {
		t.Errorf("an object that was discarded whole takes %d bytes", n)
	}
	clear(data)
	f.holds("tail/x", data)
}
