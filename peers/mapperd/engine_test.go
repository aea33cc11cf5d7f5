package mapperd

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBlankVolume(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	info := mustCreate(t, e, "v")
	if info.Size != testSize || info.ObjectSize != testObject || info.Epoch != 1 || info.Flags != 0 {
		t.Fatalf("info %+v", info)
	}
	wantSub(t, w, info, 0, 0, 0)
	mustWrite(t, w, info, 0, 3, 7)
	mustWrite(t, w, info, 1500, 0, 8)
	wantSub(t, w, info, 0, 3, 7)
	wantSub(t, w, info, 0, 4, 0)
	wantSub(t, w, info, 1500, 0, 8)
	entry, err := mapRead(e, info, 0)
	must(t, err)
	if entry.NumLevels != 1 || entry.Levels[0].Mask != mapfmt.FullMask {
		t.Fatalf("a fresh object isn't complete at birth: %+v", entry)
	}
	past, err := mapRead(e, info, testSize/testObject)
	must(t, err)
	if !past.IsZero() {
		t.Fatalf("entry past the end: %+v", past)
	}
}

func TestDefaultObjectSize(t *testing.T) {
	e := newWorld(t).start()
	op, err := do(e, mapper.Op{Kind: mapper.Clone, Name: "v", Size: 1 << 40})
	must(t, err)
	if op.Info.ObjectSize != mapfmt.DefaultObjectSize || op.Info.Chunks != 256 {
		t.Fatalf("info %+v", op.Info)
	}
}

func TestErrors(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	s, err := snapshot(e, "v", "s")
	must(t, err)
	other := v
	other.UUID = mapfmt.NewUUID()
	for _, c := range []struct {
		what string
		want error
		op   mapper.Op
	}{
		{"bad name", mapper.ErrName, mapper.Op{Kind: mapper.Clone, Name: "-v", Size: 512}},
		{"name too long", mapper.ErrName, mapper.Op{Kind: mapper.Clone, Name: strings.Repeat("v", 129), Size: 512}},
		{"no size", mapper.ErrArgument, mapper.Op{Kind: mapper.Clone, Name: "x"}},
		{"odd size", mapper.ErrArgument, mapper.Op{Kind: mapper.Clone, Name: "x", Size: 513}},
		{"too large", mapper.ErrArgument, mapper.Op{Kind: mapper.Clone, Name: "x", Size: 1<<50 + 512}},
		{"odd object size", mapper.ErrArgument, mapper.Op{Kind: mapper.Clone, Name: "x", Size: 512, ObjectSize: 4096}},
		{"exists", mapper.ErrExists, mapper.Op{Kind: mapper.Clone, Name: "v", Size: 512}},
		{"clone exists", mapper.ErrExists, mapper.Op{Kind: mapper.Clone, Name: "v", Other: "s"}},
		{"clone of nothing", mapper.ErrNotFound, mapper.Op{Kind: mapper.Clone, Name: "x", Other: "y"}},
		{"clone of a volume", mapper.ErrNotRO, mapper.Op{Kind: mapper.Clone, Name: "x", Other: "v"}},
		{"clone too small", mapper.ErrTooSmall, mapper.Op{Kind: mapper.Clone, Name: "x", Other: "s", Size: 512}},
		{"clone in other objects", mapper.ErrArgument, mapper.Op{Kind: mapper.Clone, Name: "x", Other: "s", ObjectSize: 1 << 20}},
		{"snapshot of nothing", mapper.ErrNotFound, mapper.Op{Kind: mapper.Snapshot, Name: "y", Other: "x"}},
		{"snapshot of a snapshot", mapper.ErrReadOnly, mapper.Op{Kind: mapper.Snapshot, Name: "s", Other: "x"}},
		{"snapshot exists", mapper.ErrExists, mapper.Op{Kind: mapper.Snapshot, Name: "v", Other: "s"}},
		{"snapshot with the name of its volume", mapper.ErrExists, mapper.Op{Kind: mapper.Snapshot, Name: "v", Other: "v"}},
		{"snapshot of another", mapper.ErrStale, mapper.Op{Kind: mapper.Snapshot, Name: "v", Volume: s.UUID, Other: "x"}},
		{"open nothing", mapper.ErrNotFound, mapper.Op{Kind: mapper.Open, Name: "y"}},
		{"open another", mapper.ErrStale, mapper.Op{Kind: mapper.Open, Name: "v", Volume: mapfmt.UUID{1}}},
		{"info of nothing", mapper.ErrNotFound, mapper.Op{Kind: mapper.InfoOf, Name: "y"}},
		{"remove nothing", mapper.ErrNotFound, mapper.Op{Kind: mapper.Delete, Name: "y"}},
		{"remove another", mapper.ErrNotFound, mapper.Op{Kind: mapper.Delete, Name: "v", Volume: s.UUID}},
		{"write to a snapshot", mapper.ErrReadOnly, mapper.Op{Kind: mapper.MapWrite, Volume: s.UUID, Name: "s"}},
		{"commit to a snapshot", mapper.ErrReadOnly, mapper.Op{Kind: mapper.Commit, Volume: s.UUID, Name: "s"}},
		{"write past the end", mapper.ErrArgument, mapper.Op{Kind: mapper.MapWrite, Volume: v.UUID, Name: "v", Index: 2048}},
		{"read before the start", mapper.ErrArgument, mapper.Op{Kind: mapper.MapRead, Volume: v.UUID, Name: "v", Index: -1}},
		{"read what isn't open", mapper.ErrStale, mapper.Op{Kind: mapper.MapRead, Volume: other.UUID}},
		{"no such operation", mapper.ErrArgument, mapper.Op{Kind: 99}},
	} {
		op, err := do(e, c.op)
		if mapper.Errno(err) != mapper.Errno(c.want) {
			t.Errorf("%s: error %v, want %v", c.what, err, c.want)
		}
		if err != nil && op.Name != "" && op.Kind != mapper.MapRead && c.want != mapper.ErrReadOnly && len(op.Name) <= 128 &&
			!strings.Contains(err.Error(), op.Name) {
			t.Errorf("%s: error %q doesn't name the volume", c.what, err)
		}
	}
}

func TestSnapshotAndClone(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 5, 1, 10)
	s, err := snapshot(e, "v", "s")
	must(t, err)
	if s.Flags&uint32(mapfmt.FlagReadOnly) == 0 || s.UUID == v.UUID {
		t.Fatalf("snapshot %+v", s)
	}
	mustWrite(t, w, v, 5, 1, 11)
	mustWrite(t, w, v, 5, 2, 12)
	c, err := clone(e, "c", "s")
	must(t, err)
	if c.Origin != s.UUID || c.Flags != 0 {
		t.Fatalf("clone %+v", c)
	}
	mustWrite(t, w, c, 5, 3, 13)
	for _, x := range []struct {
		info mapper.Info
		want [5]uint64
	}{
		{v, [5]uint64{0, 11, 12, 0, 0}}, {s, [5]uint64{0, 10, 0, 0, 0}}, {c, [5]uint64{0, 10, 0, 13, 0}},
	} {
		for sub, want := range x.want {
			wantSub(t, w, x.info, 5, sub, want)
		}
	}
	large, err := do(e, mapper.Op{Kind: mapper.Clone, Name: "large", Other: "s", Size: 3 * testSize})
	must(t, err)
	wantSub(t, w, large.Info, 5, 1, 10)
	mustWrite(t, w, large.Info, 5000, 1, 14)
	wantSub(t, w, large.Info, 5000, 1, 14)
}

// TestFourthLevel makes more epochs on one object than an entry has levels.
func TestFourthLevel(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	for i := range 6 {
		mustWrite(t, w, v, 9, i, uint64(100+i))
		_, err := snapshot(e, "v", "s"+string(rune('0'+i)))
		must(t, err)
	}
	w.restart()
	for i := range 6 {
		wantSub(t, w, v, 9, i, uint64(100+i))
		s, err := do(w.engine, mapper.Op{Kind: mapper.Open, Name: "s" + string(rune('0'+i))})
		must(t, err)
		for j := range 6 {
			want := uint64(100 + j)
			if j > i {
				want = 0
			}
			wantSub(t, w, s.Info, 9, j, want)
		}
	}
}

func TestCommitRules(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	_, err := snapshot(e, "v", "s")
	must(t, err)
	first, err := mapWrite(e, v, 0)
	must(t, err)
	second, err := mapWrite(e, v, 0)
	must(t, err)
	if first.Levels[0].Birth == second.Levels[0].Birth {
		t.Fatal("two reservations with the same birth")
	}
	first.Levels[0].Mask, second.Levels[0].Mask = 1, 2
	_, err = commit(e, v, 0, mapfmt.Entry{})
	wantError(t, err, mapper.ErrStale)
	zero := first
	zero.Levels[0].Mask = 0
	_, err = commit(e, v, 0, zero)
	wantError(t, err, mapper.ErrArgument)
	lacks := first.WithoutLevel(1)
	_, err = commit(e, v, 0, lacks)
	wantError(t, err, mapper.ErrStale)
	_, err = do(e, mapper.Op{Kind: mapper.Commit, Volume: v.UUID, Entry: first, Term: 9})
	wantError(t, err, mapper.ErrStale)

	stored, err := commit(e, v, 0, first)
	must(t, err)
	if stored != first {
		t.Fatalf("stored %+v, want %+v", stored, first)
	}
	_, err = commit(e, v, 0, second)
	wantError(t, err, mapper.ErrStale)
	e = w.restart()
	again, err := commit(e, v, 0, first)
	must(t, err)
	if again != first {
		t.Fatalf("repeated after a restart: %+v, want %+v", again, first)
	}
	more := first
	more.Levels[0].Mask = 4
	stored, err = commit(e, v, 0, more)
	must(t, err)
	if stored.Levels[0].Mask != 5 {
		t.Fatalf("mask %x, want 5", stored.Levels[0].Mask)
	}
	all := first.WithoutLevel(1)
	all.Levels[0].Mask = mapfmt.FullMask
	stored, err = commit(e, v, 0, all)
	must(t, err)
	if stored.NumLevels != 1 {
		t.Fatalf("levels left below a complete one: %+v", stored)
	}
	stored, err = commit(e, v, 0, first) // a repeated one that comes late
	must(t, err)
	if stored != all {
		t.Fatalf("stored %+v, want %+v", stored, all)
	}
	_, err = snapshot(e, "v", "s2")
	must(t, err)
	_, err = commit(e, v, 0, first)
	wantError(t, err, mapper.ErrStale)
}

func TestPendingSurvivesRestart(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 3, 1, 30)
	must(t, flush(e, v))
	mustWrite(t, w, v, 3, 2, 31)
	mustWrite(t, w, v, 2000, 2, 32)
	e = w.restart()
	e.Recover()
	if e.lookup(v.UUID) == nil {
		t.Fatal("a volume with a pending log wasn't opened")
	}
	wantSub(t, w, v, 3, 1, 30)
	wantSub(t, w, v, 3, 2, 31)
	wantSub(t, w, v, 2000, 2, 32)
	if got := len(e.lookup(v.UUID).dirty); got == 0 {
		t.Fatal("replayed entries aren't pending")
	}
	must(t, flush(e, v))
	if got := e.lookup(v.UUID).log.used(); got != 0 {
		t.Fatalf("%d entries in the log after a flush", got)
	}
}

func TestCloseReleases(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 3, 1, 30)
	op, err := do(e, mapper.Op{Kind: mapper.InfoOf, Name: "v"})
	must(t, err)
	if op.Info.Flags&mapper.FlagOpen == 0 || op.Info.Generation != 1 {
		t.Fatalf("info of a volume in use: %+v", op.Info)
	}
	for range 2 {
		_, err = do(e, mapper.Op{Kind: mapper.Close, Name: "v"})
		must(t, err)
	}
	op, err = do(e, mapper.Op{Kind: mapper.InfoOf, Name: "v"})
	must(t, err)
	if op.Info.Flags != 0 || op.Info.Generation != 2 {
		t.Fatalf("info of a closed volume: %+v", op.Info)
	}
	if names, err := e.logNames(); err != nil || len(names) != 0 {
		t.Fatalf("pending logs after close: %v, %v", names, err)
	}
	must(t, e.Close())

	// Nothing was left in memory: another node goes on with it.
	w.node, w.dir, w.boot = "node2", t.TempDir(), [16]byte{2}
	w.start()
	wantSub(t, w, v, 3, 1, 30)
	mustWrite(t, w, v, 3, 1, 31)
}

func TestLockedByAnotherNode(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 3, 1, 30)
	must(t, flush(e, v))
	must(t, e.Close())
	w.node, w.dir, w.boot = "node2", t.TempDir(), [16]byte{2}
	e = w.start()
	wantSub(t, w, v, 3, 1, 30)
	_, err := mapWrite(e, v, 3)
	wantError(t, err, mapper.ErrAgain)
	_, err = snapshot(e, "v", "s")
	wantError(t, err, mapper.ErrBusy)
	if !strings.Contains(err.Error(), "node1") {
		t.Fatalf("%q doesn't name the owner", err)
	}
	wantError(t, remove(e, "v"), mapper.ErrBusy)
	_, err = do(e, mapper.Op{Kind: mapper.Close, Name: "v"})
	must(t, err)
	op, err := do(e, mapper.Op{Kind: mapper.InfoOf, Name: "v"})
	must(t, err)
	if op.Info.Generation != 1 {
		t.Fatalf("generation %d: close took the lock", op.Info.Generation)
	}
}

// TestOwnLockAfterReboot: the node's lock outlives its boot, but nothing of its memory does.
func TestOwnLockAfterReboot(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 3, 1, 30)
	must(t, e.Close())
	w.boot = [16]byte{2} // the log is still there, but of another boot
	e = w.start()
	wantSub(t, w, v, 3, 1, 0)
	mustWrite(t, w, v, 3, 2, 31)
	if got := e.lookup(v.UUID).generation; got != 2 {
		t.Fatalf("generation %d, want 2", got)
	}
}

func TestRemove(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 3, 1, 30)
	must(t, flush(e, v))
	freed := make(chan string, 8)
	w.fblocks.After(func(_ int, op *blocker.Op) {
		if op.Kind == blocker.Delete {
			freed <- op.Name
		}
	})
	id := [16]byte{7}
	for range 2 { // the second is a repeated request
		_, err := do(e, mapper.Op{Kind: mapper.Delete, Name: "v", Volume: v.UUID, RequestID: id})
		must(t, err)
	}
	_, err := do(e, mapper.Op{Kind: mapper.Delete, Name: "v", Volume: v.UUID, RequestID: [16]byte{8}})
	wantError(t, err, mapper.ErrNotFound)
	_, err = mapRead(e, v, 3)
	wantError(t, err, mapper.ErrNotFound)
	<-freed
	if names := namesIn(t, e, w.blocks, mapfmt.ObjectVolumePrefix(v.UUID)); len(names) > 0 {
		t.Fatalf("objects left: %v", names)
	}
	mustCreate(t, e, "v")
}

// TestRemoveKeepsShared: what a snapshot or a clone refers to stays.
func TestRemoveKeepsShared(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 3, 1, 30)
	_, err := snapshot(e, "v", "s")
	must(t, err)
	c, err := clone(e, "c", "s")
	must(t, err)
	must(t, remove(e, "v"))
	must(t, remove(e, "s"))
	w.restart()
	wantSub(t, w, c, 3, 1, 30)
}

func namesIn(t testing.TB, e *Engine, s blocker.Store, prefix string) (names []string) {
	t.Helper()
	must(t, e.list(s, prefix, func(name string) error {
		names = append(names, name)
		return nil
	}))
	return names
}

func TestList(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	want := []string{"a", "a.b", "a0", "b", "c+d", "e@f"}
	for _, name := range want {
		mustCreate(t, e, name)
	}
	for _, room := range []int{6, 8, 16, 1000} {
		var got []string
		op := mapper.Op{Kind: mapper.List, Data: make([]byte, room+4)}
		for {
			must(t, mapper.Do(e, &op))
			must(t, blocker.Names(op.Data[:op.N], func(name string) error {
				got = append(got, name)
				op.Other = name
				return nil
			}))
			if !op.More {
				break
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("in pages of %d bytes: %v, want %v", room, got, want)
		}
	}
}

func TestRepeatedRequests(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	ops := []mapper.Op{
		{Kind: mapper.Clone, Name: "v", Size: testSize, ObjectSize: testObject, RequestID: [16]byte{1}},
		{Kind: mapper.Snapshot, Name: "v", Other: "s", RequestID: [16]byte{2}},
		{Kind: mapper.Clone, Name: "c", Other: "s", RequestID: [16]byte{3}},
	}
	for _, op := range ops {
		first, err := do(e, op)
		must(t, err)
		e = w.restart()
		again, err := do(e, op)
		must(t, err)
		if first.Info.UUID != again.Info.UUID {
			t.Errorf("repeated request %v made another volume", op.RequestID)
		}
		op.RequestID[15] = 1
		_, err = do(e, op)
		wantError(t, err, mapper.ErrExists)
	}
}

func TestStoreOfAnotherMode(t *testing.T) {
	w := newWorld(t)
	must(t, w.start().Close())
	_, err := New(Config{
		Maps: w.maps, Blocks: w.blocks, PendingDir: w.dir, Node: "n", Nodes: mapfmt.NodesShared,
	})
	wantError(t, err, mapper.ErrArgument)
}
