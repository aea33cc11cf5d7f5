package mapperd

import (
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

func TestOperationErrors(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustCreate(t, e, "w")
	s, err := snapshot(e, "v", "s")
	must(t, err)
	_, err = do(e, mapper.Op{Kind: mapper.Clone, Name: "large", Size: 1 << 20, ObjectSize: 1 << 20})
	must(t, err)
	_, err = snapshot(e, "large", "l")
	must(t, err)
	for _, c := range []struct {
		what string
		want error
		op   mapper.Op
	}{
		{"rename nothing", mapper.ErrNotFound, mapper.Op{Kind: mapper.Rename, Name: "x", Other: "y"}},
		{"rename to what exists", mapper.ErrExists, mapper.Op{Kind: mapper.Rename, Name: "v", Other: "w"}},
		{"rename to itself", mapper.ErrExists, mapper.Op{Kind: mapper.Rename, Name: "v", Other: "v"}},
		{"rename to a bad name", mapper.ErrName, mapper.Op{Kind: mapper.Rename, Name: "v", Other: "-"}},
		{"rename another", mapper.ErrStale, mapper.Op{Kind: mapper.Rename, Name: "v", Other: "y", Volume: s.UUID}},
		{"roll nothing back", mapper.ErrNotFound, mapper.Op{Kind: mapper.Rollback, Name: "x", Other: "s"}},
		{"roll back to nothing", mapper.ErrNotFound, mapper.Op{Kind: mapper.Rollback, Name: "v", Other: "x"}},
		{"roll back to a volume", mapper.ErrNotRO, mapper.Op{Kind: mapper.Rollback, Name: "v", Other: "w"}},
		{"roll back to other objects", mapper.ErrArgument, mapper.Op{Kind: mapper.Rollback, Name: "v", Other: "l"}},
		{"roll a snapshot back", mapper.ErrReadOnly, mapper.Op{Kind: mapper.Rollback, Name: "s", Other: "s"}},
		{"resize nothing", mapper.ErrNotFound, mapper.Op{Kind: mapper.Resize, Name: "x", Size: 512}},
		{"resize to nothing", mapper.ErrArgument, mapper.Op{Kind: mapper.Resize, Name: "v"}},
		{"resize oddly", mapper.ErrArgument, mapper.Op{Kind: mapper.Resize, Name: "v", Size: 1000}},
		{"resize too far", mapper.ErrArgument, mapper.Op{Kind: mapper.Resize, Name: "v", Size: 1<<50 + 512}},
		{"resize a snapshot", mapper.ErrReadOnly, mapper.Op{Kind: mapper.Resize, Name: "s", Size: 512}},
		{"resize another", mapper.ErrStale, mapper.Op{Kind: mapper.Resize, Name: "v", Size: 512, Volume: s.UUID}},
		{"usage of nothing", mapper.ErrNotFound, mapper.Op{Kind: mapper.UsageOf, Name: "x"}},
		{"diff of nothing", mapper.ErrNotFound, mapper.Op{Kind: mapper.Diff, Name: "v", Other: "x", Ranges: make([]mapper.Range, 1)}},
		{"diff of other objects", mapper.ErrArgument, mapper.Op{Kind: mapper.Diff, Name: "v", Other: "l", Ranges: make([]mapper.Range, 1)}},
		{"diff without room", mapper.ErrArgument, mapper.Op{Kind: mapper.Diff, Name: "v", Other: "s"}},
		{"group without an id", mapper.ErrArgument, mapper.Op{Kind: mapper.SnapshotGroup, Members: 1, Data: snapshots("s")}},
		{"group of fewer", mapper.ErrArgument, mapper.Op{Kind: mapper.SnapshotGroup, Group: v.UUID, Members: 2, Data: snapshots("s", "s")}},
		{"group of others", mapper.ErrStale, mapper.Op{Kind: mapper.SnapshotGroup, Group: v.UUID, Members: 1, Data: snapshots("s")}},
	} {
		if _, err := do(e, c.op); mapper.Errno(err) != mapper.Errno(c.want) {
			t.Errorf("%s: error %v, want %v", c.what, err, c.want)
		}
	}
	for _, name := range []string{"v", "w", "s", "large", "l"} {
		if _, err := do(e, mapper.Op{Kind: mapper.Open, Name: name}); err != nil {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
}

// TestRepeatedChanges: each change is made once, however often and after whatever restart the same
// request comes.
func TestRepeatedChanges(t *testing.T) {
	for _, x := range []struct {
		what string
		op   mapper.Op
	}{
		{"rename", mapper.Op{Kind: mapper.Rename, Name: "v", Other: "x"}},
		{"rename of a snapshot", mapper.Op{Kind: mapper.Rename, Name: "s", Other: "x"}},
		{"rollback", mapper.Op{Kind: mapper.Rollback, Name: "v", Other: "s"}},
		{"shrink", mapper.Op{Kind: mapper.Resize, Name: "v", Size: testObject}},
		{"grow", mapper.Op{Kind: mapper.Resize, Name: "v", Size: 2 * testSize}},
		{"snapshot", mapper.Op{Kind: mapper.Snapshot, Name: "v", Other: "x"}},
		{"clone", mapper.Op{Kind: mapper.Clone, Name: "x", Other: "s"}},
	} {
		w := newWorld(t)
		e := w.start()
		v := mustCreate(t, e, "v")
		mustWrite(t, w, v, 0, 0, 1)
		_, err := snapshot(e, "v", "s")
		must(t, err)
		mustWrite(t, w, v, 0, 0, 2)
		x.op.RequestID = [16]byte{7}
		first, err := do(e, x.op)
		must(t, err)
		for range 2 {
			again, err := do(e, x.op)
			if err != nil || again.Info.UUID != first.Info.UUID || again.Info.Epoch != first.Info.Epoch ||
				again.Info.Size != first.Info.Size {
				t.Errorf("%s: repeated: %v\n%+v\n%+v", x.what, err, first.Info, again.Info)
			}
			e = w.restart()
		}
		x.op.RequestID = [16]byte{8}
		if again, err := do(e, x.op); err == nil && again.Info.UUID == first.Info.UUID && again.Info.Epoch == first.Info.Epoch &&
			x.op.Kind != mapper.Resize {
			t.Errorf("%s: another request changed nothing", x.what)
		}
	}
}

// TestRenamed: everything goes on under the new name, also for a successor of the process.
func TestRenamed(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	n, err := rename(e, "v", "x")
	must(t, err)
	if n.UUID != v.UUID || n.Name != "x" {
		t.Fatalf("%+v", n)
	}
	_, err = do(e, mapper.Op{Kind: mapper.Open, Name: "v"})
	wantError(t, err, mapper.ErrNotFound)
	_, err = mapRead(e, v, 0) // under the old name, but by its UUID
	must(t, err)
	mustWrite(t, w, n, 1, 0, 2)
	e = w.restart()
	e.Recover()
	wantSub(t, w, n, 0, 0, 1)
	wantSub(t, w, n, 1, 0, 2)
	other := mustCreate(t, e, "v")
	mustWrite(t, w, other, 0, 0, 3)
	wantSub(t, w, n, 0, 0, 1)
}

// TestStaleAfterRollback: what was got before it can't be committed.
func TestStaleAfterRollback(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	_, err := snapshot(e, "v", "s")
	must(t, err)
	entry, err := mapWrite(e, v, 0)
	must(t, err)
	mustWrite(t, w, v, 0, 0, 2)
	r, err := rollback(e, "v", "s")
	must(t, err)
	if r.Epoch != 3 {
		t.Errorf("epoch %d", r.Epoch)
	}
	entry.Levels[0].Mask = 1
	_, err = commit(e, v, 0, entry)
	wantError(t, err, mapper.ErrStale)
	wantSub(t, w, v, 0, 0, 1)
	must(t, remove(e, "s"))
	wantSub(t, w, v, 0, 0, 1)
}

// TestShrinkFreesSpace: objects of the volume's own beyond the end are deleted.
func TestShrinkFreesSpace(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	var levels []mapfmt.Level
	places := []int64{1, 2, 1030}
	for _, index := range places {
		mustWrite(t, w, v, index, 0, 1)
		entry, err := mapRead(e, v, index)
		must(t, err)
		levels = append(levels, entry.Levels[0])
	}
	deleted := make(chan string, 10)
	w.engine.cfg.Blocks = deletions(w, deleted)
	_, err := resize(e, "v", 2*testObject)
	must(t, err)
	for range 2 {
		<-deleted
	}
	for i, want := range []bool{true, false, false} {
		if exists(w, places[i], levels[i]) != want {
			t.Errorf("object %d: %v", places[i], !want)
		}
	}
	_, err = resize(e, "v", testSize)
	must(t, err)
	wantSub(t, w, v, 1, 0, 1)
	wantSub(t, w, v, 2, 0, 0)
	wantSub(t, w, v, 1030, 0, 0)
}
