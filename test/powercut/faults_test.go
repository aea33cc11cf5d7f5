package powercut

import (
	"slices"
	"strings"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
)

// fault is a wrong that is planted between the engines and their stores. The zero value is none.
type fault struct {
	name string
	// in is the scenario of the corpus that finds it, with so many power cuts per moment, and
	// symptom what it is found by: finding it by something else is luck, or another fault.
	in      string
	cuts    int
	symptom string
	make    func(maps, blocks blocker.Store) (blocker.Store, blocker.Store)
}

func (f fault) wrap(maps, blocks blocker.Store) (blocker.Store, blocker.Store) {
	if f.make == nil {
		return maps, blocks
	}
	return f.make(maps, blocks)
}

// crooked is a store that does something else than it is asked for.
type crooked struct {
	blocker.Store
	// run does op, on next, and says whether it has.
	run func(next blocker.Store, op *blocker.Op) bool
}

func (c crooked) Submit(op *blocker.Op) {
	if c.run(c.Store, op) {
		op.Done(op)
		return
	}
	c.Store.Submit(op)
}

// really runs op on a store, but for its Done. The stores in memory end within Submit.
func really(s blocker.Store, op *blocker.Op) {
	done := op.Done
	_ = blocker.Do(s, op)
	op.Done = done
}

// later keeps a copy of an operation that is answered before it was run.
func later(op *blocker.Op) *blocker.Op {
	held := *op
	held.Name, held.Data = strings.Clone(op.Name), append([]byte(nil), op.Data...)
	op.N, op.Err = int64(len(op.Data)), nil
	return &held
}

// inMaps makes a fault of the map store, inBlocks one of the data store. Each node has its own.
func inMaps(make func() func(next blocker.Store, op *blocker.Op) bool) func(_, _ blocker.Store) (_, _ blocker.Store) {
	return func(maps, blocks blocker.Store) (blocker.Store, blocker.Store) {
		return crooked{maps, make()}, blocks
	}
}

// unsynced makes Create and Replace of names with a prefix store their content without any sync.
func unsynced(prefix string, anew bool) func() func(blocker.Store, *blocker.Op) bool {
	return func() func(blocker.Store, *blocker.Op) bool {
		return func(next blocker.Store, op *blocker.Op) bool {
			if op.Kind != blocker.Replace && op.Kind != blocker.Create || !strings.HasPrefix(op.Name, prefix) {
				return false
			}
			stat := blocker.Op{Kind: blocker.Stat, Name: op.Name}
			there := blocker.Do(next, &stat) == nil
			if there && (anew || op.Kind == blocker.Create) {
				return false
			}
			if there {
				really(next, &blocker.Op{Kind: blocker.Delete, Name: op.Name})
			}
			write := blocker.Op{Kind: blocker.Write, Volume: [16]byte{0xee}, Name: op.Name, Data: op.Data}
			really(next, &write)
			op.N, op.Err = write.N, write.Err
			return true
		}
	}
}

// swapped holds the operations that first picks until one that second picks was run.
func swapped(first, second func(op *blocker.Op) bool) func() func(blocker.Store, *blocker.Op) bool {
	return func() func(blocker.Store, *blocker.Op) bool {
		var held *blocker.Op
		return func(next blocker.Store, op *blocker.Op) bool {
			switch {
			case held == nil && first(op):
				held = later(op)
				return true
			case held != nil && second(op):
				really(next, op)
				really(next, held)
				held = nil
				return true
			case held != nil && held.Name == op.Name:
				really(next, held)
				held = nil
			}
			return false
		}
	}
}

func isOf(kind blocker.Kind, prefix string) func(op *blocker.Op) bool {
	return func(op *blocker.Op) bool { return op.Kind == kind && strings.HasPrefix(op.Name, prefix) }
}

// raisesEpoch picks the record of a volume in a new epoch.
func raisesEpoch() func(op *blocker.Op) bool {
	epochs := map[mapfmt.UUID]uint64{}
	return func(op *blocker.Op) bool {
		if op.Kind != blocker.Replace && op.Kind != blocker.Create || !strings.HasPrefix(op.Name, mapfmt.RecordPrefix) {
			return false
		}
		r, err := mapfmt.DecodeRecord(op.Data)
		if err != nil {
			return false
		}
		old := epochs[r.UUID]
		epochs[r.UUID] = r.Epoch
		return old != 0 && r.Epoch > old
	}
}

// dropped answers operations without running them.
func dropped(pick func(op *blocker.Op) bool) func() func(blocker.Store, *blocker.Op) bool {
	return func() func(blocker.Store, *blocker.Op) bool {
		return func(_ blocker.Store, op *blocker.Op) bool {
			if !pick(op) {
				return false
			}
			op.N, op.Err = op.Offset, nil
			return true
		}
	}
}

// untrimmed stores records without the mark that says that a trim isn't finished, so that after a
// crash nothing keeps the volume from growing over what is left.
func untrimmed() func(blocker.Store, *blocker.Op) bool {
	return func(next blocker.Store, op *blocker.Op) bool {
		if op.Kind != blocker.Replace || !strings.HasPrefix(op.Name, mapfmt.RecordPrefix) {
			return false
		}
		r, err := mapfmt.DecodeRecord(op.Data)
		if err != nil {
			return false
		}
		r.ClearMark(mapfmt.FlagTrim)
		data, err := mapfmt.EncodeRecord(r)
		if err != nil {
			return false
		}
		plain := *op
		plain.Data = data
		really(next, &plain)
		op.N, op.Err = plain.N, plain.Err
		return true
	}
}

// uncut leaves torn tails where they are. Appends go behind them, or over them.
func uncut(over bool) func() func(blocker.Store, *blocker.Op) bool {
	return func() func(blocker.Store, *blocker.Op) bool {
		return func(next blocker.Store, op *blocker.Op) bool {
			switch op.Kind {
			case blocker.TruncateTail:
				really(next, &blocker.Op{Kind: blocker.Sync, Name: op.Name})
				op.N, op.Err = op.Offset, nil
				return true
			case blocker.Append:
				again := *op
				really(next, &again)
				if again.N != op.Offset && again.Err != nil {
					again.Offset = again.N
					if over {
						again.Kind, again.Offset = blocker.Write, op.Offset
					}
					really(next, &again)
				}
				op.N, op.Err = again.N, again.Err
				return true
			}
			return false
		}
	}
}

// entryFirst syncs the data only after the entries that name it.
func entryFirst(maps, blocks blocker.Store) (blocker.Store, blocker.Store) {
	var held *blocker.Op
	m := crooked{maps, func(next blocker.Store, op *blocker.Op) bool {
		if held == nil || op.Kind != blocker.Sync && op.Kind != blocker.Replace {
			return false
		}
		really(next, op)
		really(blocks, held)
		held = nil
		return true
	}}
	b := crooked{blocks, func(_ blocker.Store, op *blocker.Op) bool {
		if op.Kind == blocker.Sync {
			held = later(op)
		}
		return op.Kind == blocker.Sync
	}}
	return m, b
}

func inBlocks(make func() func(blocker.Store, *blocker.Op) bool) func(_, _ blocker.Store) (_, _ blocker.Store) {
	return func(maps, blocks blocker.Store) (blocker.Store, blocker.Store) {
		return maps, crooked{blocks, make()}
	}
}

// faults are what the explorer must find.
var faults = []fault{
	{"data isn't synced", "create", 12, "names it, and it is not there",
		inBlocks(dropped(isOf(blocker.Sync, "")))},
	{"chunks aren't synced", "write", 12, "second cut: v: sector",
		inMaps(dropped(isOf(blocker.Sync, mapfmt.ChunkPrefix)))},
	{"records aren't synced", "create", 12, "open v: volume v: open: no such volume",
		inMaps(unsynced(mapfmt.RecordPrefix, false))},
	{"directories of records aren't synced", "create", 12, "open v: volume v: open: no such volume",
		inMaps(unsynced(mapfmt.RecordPrefix, true))},
	{"directories of chunks aren't synced", "create", 12, "the volume names it, and it is not there",
		inMaps(unsynced(mapfmt.ChunkPrefix, true))},
	{"entry before data", "write", 12, "v: sector", entryFirst},
	{"snapshot before epoch", "zeroes", 12, "is shared, but volume v is still in epoch 1",
		func(maps, blocks blocker.Store) (blocker.Store, blocker.Store) {
			return inMaps(swapped(raisesEpoch(), isOf(blocker.Create, mapfmt.RecordPrefix)))(maps, blocks)
		}},
	{"tombstone after record", "first writes beside a flush", 12, "repeated: volume v0: remove: no such volume",
		inMaps(swapped(isOf(blocker.Replace, mapfmt.TombstonePrefix), isOf(blocker.Delete, mapfmt.RecordPrefix)))},
	{"grow before a finished trim", "grow and shrink", 12, "lies beyond the end of the volume",
		inMaps(untrimmed)},
	{"tail of the last object isn't trimmed", "grow and shrink", 12, "gone on: v: sector",
		inBlocks(dropped(func(op *blocker.Op) bool {
			return op.Kind == blocker.WriteZeroes && op.Offset > 0 && op.Offset+op.Length == objectSize
		}))},
	{"append behind a torn tail", "write", 12, "second cut: v: sector", inMaps(uncut(false))},
	{"append over a torn tail", "torn append", 200, "second cut: v: sector", inMaps(uncut(true))},
}

// TestFaultIsFound: each planted fault is found by what it breaks.
func TestFaultIsFound(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector adds nothing to this, and makes it take minutes")
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			l := newLab(t, f)
			l.goOnAlways = true
			at := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == f.in })
			_, err := l.explore(t, blank(), scenarios[at].run, f.cuts, 1)
			switch {
			case err == nil:
				t.Errorf("not found in %d states", l.states)
			case !strings.Contains(err.Error(), f.symptom):
				t.Errorf("found by something else: %v", err)
			default:
				t.Logf("found after %d states: %v", l.states, err)
			}
		})
	}
}
