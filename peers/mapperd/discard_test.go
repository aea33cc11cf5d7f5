package mapperd

import (
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// exists says whether an object is at the data blocker.
func exists(w *world, index int64, l mapfmt.Level) bool {
	op := blocker.Op{Kind: blocker.Stat, Name: mapfmt.ObjectName(mapfmt.ObjectOf(index, l))}
	return blocker.Do(w.blocks, &op) == nil
}

// TestDiscard: the object goes, but only once the map without it is durable.
func TestDiscard(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	must(t, flush(e, v))
	entry, err := mapRead(e, v, 0)
	must(t, err)
	must(t, discard(e, v, 0))
	wantSub(t, w, v, 0, 0, 0)
	if !exists(w, 0, entry.Levels[0]) {
		t.Fatal("the object went before its entry")
	}
	must(t, discard(e, v, 0))
	deleted := make(chan struct{})
	w.engine.cfg.Blocks = storeFunc(func(op *blocker.Op) {
		w.fblocks.Submit(op)
		if op.Kind == blocker.Delete {
			close(deleted)
		}
	})
	must(t, flush(e, v))
	<-deleted
	must(t, e.Close())
	if exists(w, 0, entry.Levels[0]) {
		t.Fatal("the object is still there")
	}
	w.start()
	wantSub(t, w, v, 0, 0, 0)
	mustWrite(t, w, v, 0, 1, 2)
	wantSub(t, w, v, 0, 0, 0)
	wantSub(t, w, v, 0, 1, 2)
}

// TestDiscardOfShared: on an object that isn't the volume's own only the entry changes.
func TestDiscardOfShared(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	s, err := snapshot(e, "v", "s")
	must(t, err)
	must(t, discard(e, v, 0))
	must(t, flush(e, v))
	must(t, e.Close())
	w.start()
	wantSub(t, w, v, 0, 0, 0)
	wantSub(t, w, s, 0, 0, 1)
}

func TestDiscardRefused(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	before, err := mapWrite(e, v, 0)
	must(t, err)
	mustWrite(t, w, v, 0, 0, 1)
	refuse := func(what string, want error, entry mapfmt.Entry) {
		t.Helper()
		entry.Levels[0].Mask = 0
		_, err := do(e, mapper.Op{Kind: mapper.Commit, Replace: true, Volume: v.UUID, Name: "v", Entry: entry})
		if mapper.Errno(err) != mapper.Errno(want) {
			t.Errorf("%s: %v", what, err)
		}
		wantSub(t, w, v, 0, 0, 1)
	}
	refuse("of another birth", mapper.ErrStale, before)
	present, err := mapRead(e, v, 0)
	must(t, err)
	below := present
	below.NumLevels, below.Levels[1] = 2, mapfmt.Level{UUID: v.UUID, Epoch: 7, Birth: 1, Mask: 1}
	refuse("with something below", mapper.ErrArgument, below)
	_, err = snapshot(e, "v", "s")
	must(t, err)
	refuse("of another epoch", mapper.ErrStale, present)
	entry := present
	entry.Levels[0].Mask = 0
	_, err = do(e, mapper.Op{Kind: mapper.Commit, Volume: v.UUID, Name: "v", Entry: entry})
	if err == nil {
		t.Error("taken without the flag")
	}
}
