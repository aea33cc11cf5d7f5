package blockertest

import (
	"testing"

	"archipelago/peers/blocker"
)

// Crashable is a store that can tell what a power cut would leave at worst.
type Crashable interface {
	blocker.Store
	// Worst returns a store that has lost all that it was allowed to lose.
	Worst() blocker.Store
}

// RunPowerCut checks that what a store has promised to be durable is there after a power cut, and
// what it hasn't promised is really lost in a model of one.
func RunPowerCut(t *testing.T, open func(t *testing.T) Crashable) {
	other := blocker.UUID{9}
	for _, c := range []struct {
		name  string
		run   func(f *fixture)
		check func(f *fixture)
	}{
		{"write", func(f *fixture) { f.write("p/x", 0, pattern(1, 5000)) },
			func(f *fixture) { f.missing("p/x") }},
		{"write and sync of the volume", func(f *fixture) {
			f.write("p/x", 0, pattern(1, 5000))
			f.must(&blocker.Op{Kind: blocker.Write, Volume: other, Name: "p/y", Data: pattern(2, 5000)})
			f.must(&blocker.Op{Kind: blocker.Sync})
		}, func(f *fixture) { f.holds("p/x", pattern(1, 5000)); f.missing("p/y") }},
		{"write and sync of the object", func(f *fixture) {
			f.write("p/x", 0, pattern(1, 5000))
			f.write("p/y", 0, pattern(2, 5000))
			f.must(&blocker.Op{Kind: blocker.Sync, Name: "p/x"})
		}, func(f *fixture) { f.holds("p/x", pattern(1, 5000)); f.missing("p/y") }},
		{"write after sync", func(f *fixture) {
			f.write("p/x", 0, pattern(1, 5000))
			f.must(&blocker.Op{Kind: blocker.Sync})
			f.write("p/x", 0, pattern(2, 6000))
		}, func(f *fixture) { f.holds("p/x", pattern(1, 5000)) }},
		{"write with FUA", func(f *fixture) {
			f.must(&blocker.Op{Kind: blocker.Write, Name: "p/x", Data: pattern(1, 5000), Flags: blocker.FlagFUA})
		}, func(f *fixture) { f.holds("p/x", pattern(1, 5000)) }},
		{"written by two volumes", func(f *fixture) {
			f.write("p/x", 0, pattern(1, 5000))
			f.must(&blocker.Op{Kind: blocker.Write, Volume: other, Name: "p/x", Offset: 5000, Data: []byte{1}})
			f.must(&blocker.Op{Kind: blocker.Sync, Volume: other})
		}, func(f *fixture) { f.holds("p/x", append(pattern(1, 5000), 1)) }},
		{"create", func(f *fixture) { f.must(&blocker.Op{Kind: blocker.Create, Name: "p/x", Data: pattern(1, 5000)}) },
			func(f *fixture) { f.holds("p/x", pattern(1, 5000)) }},
		{"replace", func(f *fixture) {
			f.write("p/x", 0, pattern(1, 9000))
			f.must(&blocker.Op{Kind: blocker.Replace, Name: "p/x", Data: pattern(2, 5000)})
		}, func(f *fixture) { f.holds("p/x", pattern(2, 5000)) }},
		{"append", func(f *fixture) {
			f.must(&blocker.Op{Kind: blocker.Create, Name: "p/x", Data: pattern(1, 5000)})
			f.must(&blocker.Op{Kind: blocker.Append, Name: "p/x", Offset: 5000, Data: pattern(2, 100)})
		}, func(f *fixture) { f.holds("p/x", pattern(1, 5000)) }},
		{"append and sync", func(f *fixture) {
			f.must(&blocker.Op{Kind: blocker.Create, Name: "p/x", Data: pattern(1, 5000)})
			f.must(&blocker.Op{Kind: blocker.Append, Name: "p/x", Offset: 5000, Data: []byte{1}})
			f.must(&blocker.Op{Kind: blocker.Sync})
		}, func(f *fixture) { f.holds("p/x", append(pattern(1, 5000), 1)) }},
		{"discard", func(f *fixture) {
			f.must(&blocker.Op{Kind: blocker.Create, Name: "p/x", Data: pattern(1, 5000)})
			f.must(&blocker.Op{Kind: blocker.Discard, Name: "p/x", Length: 5000})
		}, func(f *fixture) { f.holds("p/x", pattern(1, 5000)) }},
		{"truncate", func(f *fixture) {
			f.must(&blocker.Op{Kind: blocker.Create, Name: "p/x", Data: pattern(1, 5000)})
			f.must(&blocker.Op{Kind: blocker.TruncateTail, Name: "p/x", Offset: 4000})
		}, func(f *fixture) { f.holds("p/x", pattern(1, 4000)) }},
		{"delete", func(f *fixture) {
			f.must(&blocker.Op{Kind: blocker.Create, Name: "p/x", Data: pattern(1, 5000)})
			f.must(&blocker.Op{Kind: blocker.Delete, Name: "p/x"})
		}, func(f *fixture) { f.holds("p/x", pattern(1, 5000)) }},
		{"delete with FUA", func(f *fixture) {
			f.must(&blocker.Op{Kind: blocker.Create, Name: "p/x", Data: pattern(1, 5000)})
			f.must(&blocker.Op{Kind: blocker.Delete, Name: "p/x", Flags: blocker.FlagFUA})
		}, func(f *fixture) { f.missing("p/x") }},
		{"lock", func(f *fixture) { f.must(&blocker.Op{Kind: blocker.LockAdvance, Name: "l/x", Data: []byte("me")}) },
			func(f *fixture) {
				if g, who := f.lock("l/x"); g != 1 || who != "me" {
					f.Errorf("lock is at %d of %q", g, who)
				}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			defer s.Close()
			c.run(&fixture{T: t, s: s})
			c.check(&fixture{T: t, s: s.Worst()})
		})
	}
}
