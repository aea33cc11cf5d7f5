package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/faultstore"
	"archipelago/peers/blocker/memstore"
)

func TestWholeStoreIsClean(t *testing.T) {
	f := newFixture(t)
	all, sum := f.check(Options{})
	if len(all) != 0 || !sum.IsClean() {
		t.Errorf("findings in a store that is right:\n%s", texts(all))
	}
	if sum.Volumes != 3 || sum.Chunks != 2 || sum.Objects != 2 || sum.Bytes != 8192 || sum.Passes != 1 {
		t.Errorf("%+v", sum)
	}
}

func TestEmptyStoreIsClean(t *testing.T) {
	f := &fixture{t: t, maps: memstore.New(), blocks: memstore.New()}
	if all, _ := f.check(Options{}); len(all) != 0 {
		t.Error(texts(all))
	}
}

// expected is a finding by parts of its text.
type expected struct {
	severity      Severity
	object, cause string
}

// findings are what is wrong after a change of the store that is right, in any order.
var findings = []struct {
	name   string
	change func(f *fixture)
	want   []expected
}{
	{"object missing", func(f *fixture) {
		f.remove(f.blocks, mapfmt.ObjectName(mapfmt.ObjectOf(3, f.own)))
	}, []expected{{Loss, "3.2.000000000000000c", "entry 3 of c/"}}},
	{"shared object missing", func(f *fixture) {
		f.remove(f.blocks, mapfmt.ObjectName(mapfmt.ObjectOf(3, f.old)))
	}, []expected{{Loss, "3.1.000000000000000b", "not there"}}},
	{"chunk missing", func(f *fixture) {
		f.remove(f.maps, mapfmt.ChunkName(f.v.Table[0].At(0)))
	}, []expected{{Loss, "/2/0", "not there"}, {Orphan, "000c", "present epoch"}}},
	{"chunk damaged", func(f *fixture) {
		f.damage(mapfmt.ChunkName(f.v.Table[0].At(0)))
	}, []expected{{Corrupt, "/2/0", "CRC"}, {Orphan, "000c", "present epoch"}}},
	{"record damaged", func(f *fixture) { f.damage("v/s") }, []expected{{Corrupt, "v/s", "CRC"}}},
	{"tombstone damaged", func(f *fixture) {
		r := f.v.Clone()
		r.UUID = id(8)
		f.tombstone("gone", r)
		f.damage(mapfmt.TombstoneName(id(8), 2))
	}, []expected{{Corrupt, "t/0800", "CRC"}}},
	{"header damaged", func(f *fixture) { f.damage(mapfmt.StoreHeaderName) }, []expected{{Corrupt, "h/store", "CRC"}}},
	{"header missing", func(f *fixture) { f.remove(f.maps, mapfmt.StoreHeaderName) },
		[]expected{{Corrupt, "h/store", "no such object"}}},
	{"lock damaged", func(f *fixture) {
		op := blocker.Op{Kind: blocker.LockAdvance, Name: mapfmt.LockName(id(1)), Generation: 1, Data: []byte("odd")}
		f.must(blocker.Do(f.maps, &op))
	}, []expected{{Corrupt, "l/0100", "generation 2"}}},
	{"lease of another node", func(f *fixture) {
		data, err := mapfmt.EncodeLease(&mapfmt.Lease{Node: "n1"})
		f.put("n/n2", data, err)
	}, []expected{{Corrupt, "n/n2", "of node n1"}}},
	{"unknown name", func(f *fixture) { f.put("x/y", nil, nil) }, []expected{{Orphan, "x/y", "not a name"}}},
	{"record with a bad name", func(f *fixture) { f.put("v/a/b", nil, nil) }, []expected{{Corrupt, "v/a/b", "'/'"}}},
	{"chunk with a bad name", func(f *fixture) { f.put("c/odd", nil, nil) }, []expected{{Corrupt, "c/odd", "not that of a chunk"}}},
	{"doubled UUID", func(f *fixture) { f.record("w", f.v) }, []expected{{Corrupt, "v/w", "UUID of volume v"}}},
	{"being renamed", func(f *fixture) {
		from, to := f.v.Clone(), f.v.Clone()
		from.SetMark(mapfmt.Mark{Flag: mapfmt.FlagMoving, Name: "w", ID: id(5)})
		to.SetMark(mapfmt.Mark{Flag: mapfmt.FlagFrom, Name: "v", ID: id(5)})
		f.record("v", from)
		f.record("w", to)
	}, []expected{{HalfDone, "v/v", "MOVING"}, {HalfDone, "v/w", "FROM"}}},
	{"two renames", func(f *fixture) {
		from, to := f.v.Clone(), f.v.Clone()
		from.SetMark(mapfmt.Mark{Flag: mapfmt.FlagMoving, Name: "w", ID: id(5)})
		to.SetMark(mapfmt.Mark{Flag: mapfmt.FlagFrom, Name: "v", ID: id(6)})
		f.record("v", from)
		f.record("w", to)
	}, []expected{{HalfDone, "v/v", "MOVING"}, {HalfDone, "v/w", "FROM"}, {Corrupt, "v/w", "UUID of volume v"}}},
	{"pending", func(f *fixture) {
		f.c.SetMark(mapfmt.Mark{Flag: mapfmt.FlagPending, Name: "s", ID: id(2)})
		f.record("c", f.c)
	}, []expected{{HalfDone, "v/c", "PENDING"}}},
	{"pending without its origin", func(f *fixture) {
		c := f.c.Clone()
		c.UUID, c.Table[0].UUID = id(9), id(8)
		c.SetMark(mapfmt.Mark{Flag: mapfmt.FlagPending, Name: "gone", ID: id(8)})
		f.record("d", c)
	}, []expected{{HalfDone, "v/d", "PENDING"}, {HalfDone, "c/0800", "not there"}}},
	{"removal begun", func(f *fixture) { f.tombstone("c", f.c) }, []expected{{HalfDone, "v/c", "removal was begun"}}},
	{"tombstone superseded", func(f *fixture) {
		r := f.v.Clone()
		r.UUID = id(8)
		f.tombstone("gone", r)
		r.Epoch = 10
		f.tombstone("gone", r)
	}, []expected{{HalfDone, "08.2", "superseded by the tombstone of epoch 10"}}},
	{"member of a group", func(f *fixture) {
		f.s.SetMark(mapfmt.Mark{Flag: mapfmt.FlagPending, ID: id(6)})
		f.record("s", f.s)
		f.group(mapfmt.GroupReal, "s")
	}, []expected{{HalfDone, "v/s", "member of group 06"}, {HalfDone, "g/06", "not all of them have heard"}}},
	{"group given up", func(f *fixture) { f.group(mapfmt.GroupGivenUp) }, []expected{{Orphan, "g/06", "given up"}}},
	{"decision of another group", func(f *fixture) {
		data, err := mapfmt.EncodeGroup(&mapfmt.Group{ID: id(6), State: mapfmt.GroupReal})
		f.put(mapfmt.GroupName(id(7)), data, err)
	}, []expected{{Corrupt, "g/07", "is group 06"}}},
	{"decision left over", func(f *fixture) { f.group(mapfmt.GroupReal, "s") },
		[]expected{{Orphan, "g/06", "all snapshots"}}},
	{"torn tail", func(f *fixture) {
		name := mapfmt.ChunkName(f.v.Table[0].At(0))
		stat := blocker.Op{Kind: blocker.Stat, Name: name}
		f.must(blocker.Do(f.maps, &stat))
		f.must(blocker.Do(f.maps, &blocker.Op{Kind: blocker.Append, Name: name, Offset: stat.N, Data: []byte{1, 2}}))
	}, []expected{{HalfDone, "/2/0", "torn tail of 2 bytes"}}},
	{"entry beyond the end", func(f *fixture) {
		f.v.Size = 3 * testObject
		f.record("v", f.v)
	}, []expected{{Corrupt, "/2/0", "entry 3: lies beyond the end"}}},
	{"entry beyond the end while trimming", func(f *fixture) {
		f.v.Size = 3 * testObject
		f.v.SetMark(mapfmt.Mark{Flag: mapfmt.FlagTrim, Offset: 3 * testObject})
		f.record("v", f.v)
	}, []expected{{HalfDone, "v/v", "TRIM"}}},
	{"snapshot before epoch", func(f *fixture) {
		f.v.Epoch, f.v.Table[0].Epoch = 1, 1
		f.record("v", f.v)
	}, []expected{
		{Corrupt, "/1/0", "shared, but volume v is still in epoch 1"},
		{Corrupt, "/1/0", "shared, but volume v is still in epoch 1"},
		{Corrupt, "/2/0", "of epoch 2, but its volume is only in epoch 1"},
		{Corrupt, "000c", "of epoch 2, but its volume is only in epoch 1"},
	}},
	{"object in use by two", func(f *fixture) {
		e := mapfmt.Entry{NumLevels: 1, Levels: [4]mapfmt.Level{f.own}}
		f.chunk(mapfmt.Owner{UUID: id(3), Epoch: 1}.At(0), 3, e)
		f.c.Table = []mapfmt.Owner{{UUID: id(3), Epoch: 1}}
		f.record("c", f.c)
	}, []expected{{Corrupt, "c/0300", "shares an object with volume v"}}},
	{"object too large", func(f *fixture) {
		name := mapfmt.ObjectName(mapfmt.ObjectOf(3, f.own))
		f.must(blocker.Do(f.blocks, &blocker.Op{Kind: blocker.Write, Name: name, Offset: testObject, Data: []byte{1}}))
	}, []expected{{Corrupt, "000c", "65537 bytes are more than"}}},
	{"orphans", func(f *fixture) {
		r := f.v.Clone()
		r.UUID = id(8)
		f.tombstone("gone", r)
		f.object(mapfmt.Level{UUID: id(1), Epoch: 1, Birth: 21}, 0)
		f.object(mapfmt.Level{UUID: id(1), Epoch: 2, Birth: 22}, 0)
		f.object(mapfmt.Level{UUID: id(8), Epoch: 1, Birth: 23}, 0)
		f.object(mapfmt.Level{UUID: id(7), Epoch: 1, Birth: 24}, 0)
		f.chunk(mapfmt.Owner{UUID: id(8), Epoch: 2}.At(0), 0, mapfmt.Entry{NumLevels: 1, Levels: [4]mapfmt.Level{f.old}})
	}, []expected{
		{Orphan, "0.1.0000000000000015", "past epoch 1"}, {Orphan, "0.2.0000000000000016", "present epoch"},
		{Orphan, "0.1.0000000000000017", "removed"}, {Orphan, "0.1.0000000000000018", "neither"},
		{Orphan, "c/0800", "removed"},
	}},
}

func TestFindings(t *testing.T) {
	for _, x := range findings {
		t.Run(x.name, func(t *testing.T) {
			f := newFixture(t)
			x.change(f)
			// Also in parts of one name each: the same is found, once.
			for _, most := range []int{0, 1} {
				all, sum := f.check(Options{References: most})
				match(t, all, x.want)
				if sum.IsClean() != !contains(x.want, Loss, Corrupt) {
					t.Errorf("%+v", sum)
				}
			}
		})
	}
}

func contains(want []expected, some ...Severity) bool {
	for _, w := range want {
		for _, s := range some {
			if w.severity == s {
				return true
			}
		}
	}
	return false
}

// match wants exactly these findings.
func match(t *testing.T, all []Finding, want []expected) {
	t.Helper()
	left := append([]Finding(nil), all...)
	for _, w := range want {
		at := -1
		for i, x := range left {
			if x.Severity == w.severity && strings.Contains(x.Object, w.object) && strings.Contains(x.Cause, w.cause) {
				at = i
			}
		}
		if at < 0 {
			t.Errorf("not found: %v of %s: %s", w.severity, w.object, w.cause)
			continue
		}
		left = append(left[:at], left[at+1:]...)
	}
	if len(left) > 0 {
		t.Errorf("too much:\n%s", texts(left))
	}
	if t.Failed() {
		t.Logf("all:\n%s", texts(all))
	}
}

func TestRepairRemovesLeftovers(t *testing.T) {
	f := newFixture(t)
	r := f.v.Clone()
	r.UUID = id(8)
	f.tombstone("gone", r)
	r.Epoch = 3
	f.tombstone("gone", r)
	f.group(mapfmt.GroupReal, "s")
	if _, sum := f.check(Options{Repair: true}); sum.Repaired != 2 || sum.HalfDone != 1 || sum.Orphans != 1 {
		t.Errorf("%+v", sum)
	}
	if all, sum := f.check(Options{}); len(all) != 0 || sum.Tombstones != 1 {
		t.Errorf("%+v\n%s", sum, texts(all))
	}
}

// TestRepairTouchesNothingElse: whatever is wrong, the store stays as it is.
func TestRepairTouchesNothingElse(t *testing.T) {
	for _, x := range findings {
		if x.name == "tombstone superseded" || x.name == "decision left over" {
			continue
		}
		f := newFixture(t)
		x.change(f)
		for _, s := range []*memstore.Store{f.maps, f.blocks} {
			faulty := faultstore.Wrap(s)
			faulty.Before(func(_ int, op *blocker.Op) error {
				switch op.Kind {
				case blocker.Read, blocker.Stat, blocker.List, blocker.LockRead:
				default:
					t.Errorf("%s: operation %d on %s", x.name, op.Kind, op.Name)
				}
				return nil
			})
			o := Options{Maps: f.maps, Blocks: f.blocks, Report: func(Finding) {}, Repair: true}
			if s == f.maps {
				o.Maps = faulty
			} else {
				o.Blocks = faulty
			}
			if _, err := Check(context.Background(), o); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestManyParts: a store of many names is gone through in parts, and nothing is reported that is
// right, or twice.
func TestManyParts(t *testing.T) {
	f := newFixture(t)
	var want []expected
	for n := byte(20); n < 60; n++ {
		own := mapfmt.Owner{UUID: id(n), Epoch: 1}
		f.record(fmt.Sprint("w", n), &mapfmt.Record{UUID: own.UUID, Size: testObject, ObjectSize: testObject,
			Epoch: 1, Table: []mapfmt.Owner{own}})
		l := mapfmt.Level{UUID: own.UUID, Epoch: 1, Birth: uint64(n), Mask: 1}
		f.chunk(own.At(0), 0, mapfmt.Entry{NumLevels: 1, Levels: [4]mapfmt.Level{l}})
		if n%4 != 0 {
			f.object(l, 0)
		} else {
			want = append(want, expected{Loss, mapfmt.ObjectName(mapfmt.ObjectOf(0, l)), "not there"})
		}
		f.object(mapfmt.Level{UUID: own.UUID, Epoch: 1, Birth: 1000 + uint64(n)}, 0)
		want = append(want, expected{Orphan, mapfmt.FormatUUID(own.UUID), "present epoch"})
	}
	all, sum := f.check(Options{References: 5})
	match(t, all, want)
	if sum.Passes < 8 || sum.Volumes != 43 || sum.Chunks != 42 || sum.Objects != 72 {
		t.Errorf("%+v", sum)
	}
}

// TestInUse: an object that is written, and one that goes, under the check are no findings.
func TestInUse(t *testing.T) {
	f := newFixture(t)
	faulty := faultstore.Wrap(f.blocks)
	changed := false
	faulty.Before(func(_ int, op *blocker.Op) error {
		if op.Kind != blocker.List || changed {
			return nil
		}
		// The chunk was read by now: it gets another object, and the old one goes.
		changed = true
		l := f.own
		l.Birth = 77
		f.object(l, 3)
		f.chunk(f.v.Table[0].At(0), 3, mapfmt.Entry{NumLevels: 2, Levels: [4]mapfmt.Level{l, f.old}})
		f.remove(f.blocks, mapfmt.ObjectName(mapfmt.ObjectOf(3, f.own)))
		return nil
	})
	_, err := Check(context.Background(), Options{Maps: f.maps, Blocks: faulty, Report: func(x Finding) {
		if x.Severity != Orphan || !strings.Contains(x.Cause, "present epoch") {
			t.Errorf("finding: %v", x)
		}
	}})
	f.must(err)
	if !changed {
		t.Error("nothing was changed")
	}
}

// TestCancel: the check ends at any operation, and says so.
func TestCancel(t *testing.T) {
	f := newFixture(t)
	for n := 1; ; n++ {
		ctx, cancel := context.WithCancel(context.Background())
		maps, blocks, ops := faultstore.Wrap(f.maps), faultstore.Wrap(f.blocks), 0
		stop := func(int, *blocker.Op) error {
			if ops++; ops == n {
				cancel()
			}
			return nil
		}
		maps.Before(stop)
		blocks.Before(stop)
		_, err := Check(ctx, Options{Maps: maps, Blocks: blocks, Report: func(x Finding) { t.Errorf("at %d: %v", n, x) }})
		cancel()
		if ops < n {
			if err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at operation %d: %v", n, err)
		}
	}
}

func TestProgress(t *testing.T) {
	f := newFixture(t)
	seen := map[Stage]int64{}
	f.check(Options{Progress: func(p Progress) { seen[p.Stage] = max(seen[p.Stage], p.Names) }})
	if seen[StageRecords] != 4 || seen[StageChunks] != 2 || seen[StageObjects] != 2 {
		t.Errorf("%v", seen)
	}
}

// TestFailingStore: what can't be read is reported with its cause, and the rest is looked at.
func TestFailingStore(t *testing.T) {
	f := newFixture(t)
	broken := errors.New("broken disk")
	maps := faultstore.Wrap(f.maps)
	maps.Inject(faultstore.Rule{Kind: blocker.Read, Prefix: "v/s", Err: broken})
	maps.Inject(faultstore.Rule{Kind: blocker.Read, Prefix: mapfmt.ChunkName(f.v.Table[0].At(0)), Err: broken})
	var all []Finding
	sum, err := Check(context.Background(), Options{Maps: maps, Blocks: f.blocks,
		Report: func(x Finding) { all = append(all, x) }})
	f.must(err)
	match(t, all, []expected{
		{Corrupt, "v/s", "broken disk"}, {Corrupt, "/2/0", "broken disk"}, {Orphan, "000c", "present epoch"},
	})
	if !sum.Uncertain || !strings.Contains(texts(all), remedyReadable) {
		t.Errorf("%+v\n%s", sum, texts(all))
	}
	maps.Inject(faultstore.Rule{Kind: blocker.List, Err: broken})
	if _, err := Check(context.Background(), Options{Maps: maps, Blocks: f.blocks, Report: func(Finding) {}}); !errors.Is(err, broken) {
		t.Errorf("a listing that failed: %v", err)
	}
}
