package blockertest

import (
	"fmt"
	"testing"

	"archipelago/peers/blocker"
)

// Limited is a store that can be filled up.
type Limited interface {
	blocker.Store
	// Fill leaves no space for anything, but for what the store keeps in reserve. What it writes is
	// in the object fill.
	Fill() error
}

// RunFull checks what a store makes of a full disk: it refuses what finds no space, harms nothing,
// and does what removing a volume takes.
func RunFull(t *testing.T, open func(t *testing.T) Limited) {
	s := open(t)
	defer s.Close()
	f := &fixture{T: t, s: s}
	record, kept := pattern(1, 100*kib), pattern(2, 1<<20)
	f.must(&blocker.Op{Kind: blocker.Create, Name: "v/x", Data: record})
	f.must(&blocker.Op{Kind: blocker.Create, Name: "full/ap", Data: record})
	f.write("full/kept", 0, kept)
	f.must(&blocker.Op{Kind: blocker.Sync})
	if err := s.Fill(); err != nil {
		t.Fatal(err)
	}
	f.refusesWhenFull(record)
	if n := f.size("full/ap"); n != int64(len(record)) {
		t.Errorf("an append that failed has left %d bytes", n)
	}
	f.holds("full/kept", kept)
	f.removesWhenFull(record)
	f.removesWhenSpent(s, record)
	f.write("full/kept", 8192, pattern(3, 8192)) // in place
	copy(kept[8192:], pattern(3, 8192))
	f.must(&blocker.Op{Kind: blocker.Sync})
	f.holds("full/kept", kept)
	f.must(&blocker.Op{Kind: blocker.TruncateTail, Name: "full/ap", Offset: 10})
	f.must(&blocker.Op{Kind: blocker.Delete, Name: "fill", Flags: blocker.FlagFUA})
}

// refusesWhenFull submits what needs more space than there is. Each fails with ENOSPC, twice.
func (f *fixture) refusesWhenFull(data []byte) {
	f.Helper()
	for range 2 {
		for _, op := range []*blocker.Op{
			{Kind: blocker.Append, Name: "full/ap", Offset: int64(len(data)), Data: data},
			{Kind: blocker.Create, Name: "full/c", Data: data},
			{Kind: blocker.Write, Name: "full/w", Data: data},
			{Kind: blocker.Copy, Name: "full/cp", Source: "full/kept", Length: 1 << 20},
			{Kind: blocker.Fill, Name: "full/fl", Data: data, Source: "full/kept", Length: 1 << 20},
		} {
			f.fails(blocker.ErrNoSpace, op)
		}
	}
	f.missing("full/c")
}

// removesWhenSpent uses the reserve up, as a volume does that goes on being written and flushed;
// that leaves room for the tombstone of one.
func (f *fixture) removesWhenSpent(s Limited, record []byte) {
	f.Helper()
	for i := range 4 {
		_ = blocker.Do(s, &blocker.Op{Kind: blocker.Replace, Name: fmt.Sprint("c/", i), Data: record})
		if err := s.Fill(); err != nil {
			f.Fatal(err)
		}
	}
	tombstone := pattern(6, 40*kib)
	f.must(&blocker.Op{Kind: blocker.Replace, Name: "t/spent.1", Data: tombstone, Flags: blocker.FlagReserve})
	f.holds("t/spent.1", tombstone)
}

// removesWhenFull does what the removal of a volume takes: a lock, a tombstone, and then less.
func (f *fixture) removesWhenFull(record []byte) {
	f.Helper()
	const uuid = "0b5c1d7e-0000-4000-8000-000000000001"
	f.must(&blocker.Op{Kind: blocker.LockAdvance, Name: "l/" + uuid, Data: pattern(4, 200)})
	if g, who := f.lock("l/" + uuid); g != 1 || who != string(pattern(4, 200)) {
		f.Errorf("lock is at %d", g)
	}
	f.must(&blocker.Op{Kind: blocker.Replace, Name: "t/" + uuid + ".1", Data: pattern(5, 40*kib)})
	f.holds("t/"+uuid+".1", pattern(5, 40*kib))
	f.holds("v/x", record)
	f.must(&blocker.Op{Kind: blocker.Delete, Name: "v/x", Flags: blocker.FlagFUA})
	f.missing("v/x")
}
