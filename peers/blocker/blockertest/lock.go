package blockertest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"archipelago/peers/blocker"
)

// lock reads a chain.
func (f *fixture) lock(name string) (uint64, string) {
	f.Helper()
	op := f.must(&blocker.Op{Kind: blocker.LockRead, Name: name, Data: make([]byte, blocker.MaxLock)})
	return op.Generation, string(op.Data[:op.N])
}

func testLock(t *testing.T, f *fixture) {
	const name = "l/0b5c1d7e-0000-4000-8000-000000000001"
	advance := func(from uint64, owner string) *blocker.Op {
		return &blocker.Op{Kind: blocker.LockAdvance, Name: name, Generation: from, Data: []byte(owner)}
	}
	if g, owner := f.lock(name); g != 0 || owner != "" {
		t.Errorf("a chain nobody has locked is at %d, %q", g, owner)
	}
	if op := f.fails(blocker.ErrConflict, advance(5, "x")); op.Generation != 0 {
		t.Errorf("conflict: generation %d", op.Generation)
	}
	// Long enough for a store to clean up behind it, more than once.
	for g := range uint64(40) {
		owner := fmt.Sprintf("node%d", g)
		if op := f.must(advance(g, owner)); op.Generation != g+1 {
			t.Errorf("generation %d after %d", op.Generation, g)
		}
		if got, who := f.lock(name); got != g+1 || who != owner {
			t.Errorf("read %d of %q, want %d of %q", got, who, g+1, owner)
		}
		// A winner that lost the answer; and one that slept long.
		for _, stale := range []uint64{g, g / 2, 0} {
			if op := f.fails(blocker.ErrConflict, advance(stale, "late")); op.Generation != g+1 {
				t.Errorf("conflict: generation %d, the highest is %d", op.Generation, g+1)
			}
		}
		if _, who := f.lock(name); who != owner {
			t.Errorf("%q has overwritten %q", who, owner)
		}
	}
	f.fails(blocker.ErrArgument, &blocker.Op{Kind: blocker.LockRead, Name: name, Data: make([]byte, 2)})
	f.fails(blocker.ErrArgument, advance(40, string(make([]byte, blocker.MaxLock+1))))
	f.must(advance(40, string(pattern(1, blocker.MaxLock))))
	f.missing(name)
	if g, _ := f.lock("l/other"); g != 0 {
		t.Errorf("another chain is at %d", g)
	}
}

func testLockRace(t *testing.T, f *fixture) {
	const nodes, rounds = 4, 25
	var won [rounds + 1]atomic.Int32
	parallel(nodes, func(i int) {
		me := fmt.Sprintf("node%d", i)
		for g := uint64(0); g < rounds; {
			op := f.do(&blocker.Op{Kind: blocker.LockAdvance, Name: "l/race", Generation: g, Data: []byte(me)})
			if op.Err == nil {
				won[op.Generation].Add(1)
			} else if !errors.Is(op.Err, blocker.ErrConflict) {
				t.Error(op.Err)
				return
			}
			if op.Generation < g {
				t.Errorf("from %d back to %d", g, op.Generation)
				return
			}
			g = op.Generation
		}
	})
	// A winner that was so slow that its generation is history when it looks may be told that it
	// has lost; there are never two.
	total := int32(0)
	for g := range won {
		n := won[g].Load()
		if total += n; n > 1 {
			t.Errorf("generation %d has %d winners", g, n)
		}
	}
	if total < rounds*3/4 {
		t.Errorf("%d winners in %d generations", total, rounds)
	}
}
