package mapperd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/faultstore"
	"archipelago/peers/blocker/memstore"
	"archipelago/peers/mapper"
)

const (
	testObject = 64 << 10
	testSub    = 4 << 10
	testSubs   = testObject / testSub
	testSize   = 2 * mapfmt.ChunkEntries * testObject // two chunks
)

// world is a node: two stores, a directory of pending logs, and an engine. Its stores are wrapped,
// so that tests can fail or count operations.
type world struct {
	t            testing.TB
	maps, blocks *memstore.Store
	fmaps        *faultstore.Store
	fblocks      *faultstore.Store
	dir          string
	boot         [16]byte
	node         string
	faults       faults
	slots        int
	engine       *Engine
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return &world{
		t: t, maps: memstore.New(), blocks: memstore.New(), dir: t.TempDir(), boot: [16]byte{1},
		node: "node1",
	}
}

// start makes the engine of the world, with stores wrapped anew.
func (w *world) start() *Engine {
	w.t.Helper()
	if err := w.tryStart(); err != nil {
		w.t.Fatal(err)
	}
	return w.engine
}

func (w *world) tryStart() error {
	w.wrap()
	return w.startWrapped()
}

func (w *world) wrap() {
	w.fmaps, w.fblocks = faultstore.Wrap(w.maps), faultstore.Wrap(w.blocks)
}

func (w *world) startWrapped() error {
	e, err := New(Config{
		Maps: w.fmaps, Blocks: w.fblocks, PendingDir: w.dir, Node: w.node, BootID: w.boot,
		PendingSlots: w.slots, PendingMax: w.slots, FlushAfter: time.Hour, IdleAfter: time.Hour, faults: w.faults,
	})
	if err != nil {
		return err
	}
	if w.engine == nil {
		w.t.Cleanup(w.end)
	}
	w.engine = e
	return nil
}

// end closes the engine and lets go of everything: tests that make thousands of worlds call it.
func (w *world) end() {
	if w.engine == nil {
		return
	}
	if err := w.engine.Close(); err != nil {
		w.t.Error(err)
	}
	if err := os.RemoveAll(w.dir); err != nil {
		w.t.Error(err)
	}
	*w = world{t: w.t}
}

// restart is a kill of all processes and a new start: stores and pending logs stay as they are.
func (w *world) restart() *Engine {
	w.t.Helper()
	if err := w.engine.Close(); err != nil {
		w.t.Fatal(err)
	}
	return w.start()
}

func do(e *Engine, op mapper.Op) (mapper.Op, error) {
	err := mapper.Do(e, &op)
	return op, err
}

func create(e *Engine, name string) (mapper.Info, error) {
	op, err := do(e, mapper.Op{Kind: mapper.Clone, Name: name, Size: testSize, ObjectSize: testObject})
	return op.Info, err
}

func mustCreate(t testing.TB, e *Engine, name string) mapper.Info {
	t.Helper()
	info, err := create(e, name)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func clone(e *Engine, name, origin string) (mapper.Info, error) {
	op, err := do(e, mapper.Op{Kind: mapper.Clone, Name: name, Other: origin})
	return op.Info, err
}

func snapshot(e *Engine, name, snap string) (mapper.Info, error) {
	op, err := do(e, mapper.Op{Kind: mapper.Snapshot, Name: name, Other: snap})
	return op.Info, err
}

func flush(e *Engine, info mapper.Info) error {
	_, err := do(e, mapper.Op{Kind: mapper.Flush, Volume: info.UUID, Name: info.Name})
	return err
}

func remove(e *Engine, name string) error {
	_, err := do(e, mapper.Op{Kind: mapper.Delete, Name: name})
	return err
}

func mapRead(e *Engine, info mapper.Info, index int64) (mapfmt.Entry, error) {
	op, err := do(e, mapper.Op{
		Kind: mapper.MapRead, Volume: info.UUID, Name: info.Name, Index: index,
		Entries: make([]mapfmt.Entry, 1),
	})
	return op.Entries[0], err
}

func mapWrite(e *Engine, info mapper.Info, index int64) (mapfmt.Entry, error) {
	op, err := do(e, mapper.Op{Kind: mapper.MapWrite, Volume: info.UUID, Name: info.Name, Index: index})
	return op.Entry, err
}

func commit(e *Engine, info mapper.Info, index int64, entry mapfmt.Entry) (mapfmt.Entry, error) {
	op, err := do(e, mapper.Op{
		Kind: mapper.Commit, Volume: info.UUID, Name: info.Name, Index: index, Entry: entry,
	})
	return op.Entry, err
}

// writeSub writes value to a sub-block as a composer does: reserve, write, commit; a fourth level
// is merged first. Stale translations are asked for again.
func writeSub(e *Engine, blocks blocker.Store, info mapper.Info, index int64, sub int, value uint64) error {
	for {
		entry, err := mapWrite(e, info, index)
		if err != nil {
			return err
		}
		entry, err = fill(blocks, index, sub, value, entry)
		if err != nil {
			return err
		}
		if _, err = commit(e, info, index, entry); !errors.Is(err, mapper.ErrStale) {
			return err
		}
	}
}

// fill writes the data of a write to object index and returns what is to be committed.
func fill(blocks blocker.Store, index int64, sub int, value uint64, entry mapfmt.Entry) (mapfmt.Entry, error) {
	mask := uint64(1) << sub
	if entry.NumLevels > mapfmt.MaxLevels {
		level, merged := entry.MergeChoice(testObject)
		for s := range testSubs {
			if merged>>s&1 == 0 || s == sub {
				continue
			}
			if err := copySub(blocks, index, entry.Levels[level], entry.Levels[0], s); err != nil {
				return entry, err
			}
		}
		entry = entry.WithoutLevel(level)
		mask |= merged
	}
	if err := putSub(blocks, index, entry.Levels[0], sub, value); err != nil {
		return entry, err
	}
	if entry.Levels[0].Mask&mask == mask {
		return entry, nil // in place; a commit of the same bits changes nothing
	}
	if entry.HasNothingBelow() {
		mask = mapfmt.FullMask
	}
	entry.Levels[0].Mask |= mask
	return entry.Normalize(testObject), nil
}

func putSub(blocks blocker.Store, index int64, l mapfmt.Level, sub int, value uint64) error {
	data := make([]byte, testSub)
	binary.LittleEndian.PutUint64(data, value)
	return blocker.Do(blocks, &blocker.Op{
		Kind: blocker.Write, Volume: l.UUID, Name: mapfmt.ObjectName(mapfmt.ObjectOf(index, l)),
		Offset: int64(sub) * testSub, Data: data,
	})
}

func copySub(blocks blocker.Store, index int64, from, to mapfmt.Level, sub int) error {
	return blocker.Do(blocks, &blocker.Op{
		Kind: blocker.Copy, Volume: to.UUID, Name: mapfmt.ObjectName(mapfmt.ObjectOf(index, to)),
		Source: mapfmt.ObjectName(mapfmt.ObjectOf(index, from)), Length: testSub,
		Offset: int64(sub) * testSub, SourceOffset: int64(sub) * testSub,
	})
}

// readSub reads a sub-block as a composer does.
func readSub(e *Engine, blocks blocker.Store, info mapper.Info, index int64, sub int) (uint64, error) {
	entry, err := mapRead(e, info, index)
	if err != nil {
		return 0, err
	}
	at := entry.Find(sub)
	if at == mapfmt.AtBottom {
		return 0, nil
	}
	op := blocker.Op{
		Kind: blocker.Read, Name: mapfmt.ObjectName(mapfmt.ObjectOf(index, entry.Levels[at])),
		Offset: int64(sub) * testSub, Data: make([]byte, 8),
	}
	if err := blocker.Do(blocks, &op); err != nil {
		return 0, fmt.Errorf("the map names it: %w", err)
	}
	return binary.LittleEndian.Uint64(op.Data), nil
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func wantSub(t testing.TB, w *world, info mapper.Info, index int64, sub int, want uint64) {
	t.Helper()
	got, err := readSub(w.engine, w.blocks, info, index, sub)
	if err != nil {
		t.Fatalf("%s, object %d, sub-block %d: %v", info.Name, index, sub, err)
	}
	if got != want {
		t.Fatalf("%s, object %d, sub-block %d: %d, want %d", info.Name, index, sub, got, want)
	}
}

func mustWrite(t testing.TB, w *world, info mapper.Info, index int64, sub int, value uint64) {
	t.Helper()
	if err := writeSub(w.engine, w.blocks, info, index, sub, value); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
