package mapperd

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// pair is two nodes on one store.
type pair struct {
	*world
	a, b *Engine
}

func newPair(t *testing.T) *pair {
	t.Helper()
	w := newWorld(t)
	p := &pair{world: w}
	p.a, p.b = p.node("node-a", 1, t.TempDir()), p.node("node-b", 2, t.TempDir())
	return p
}

// node makes an engine that shares the store with others; boot is that of its machine.
func (p *pair) node(name string, boot byte, dir string) *Engine {
	p.t.Helper()
	e, err := New(Config{
		Maps: p.maps, Blocks: p.blocks, PendingDir: dir, Node: name, BootID: [16]byte{boot},
		MachineID: [16]byte{boot}, Nodes: mapfmt.NodesShared, FlushAfter: time.Hour, IdleAfter: time.Hour,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = e.Close() }) // twice is harmless
	return e
}

func acquire(e *Engine, name string) (mapper.Info, error) {
	op, err := do(e, mapper.Op{Kind: mapper.Acquire, Name: name})
	return op.Info, err
}

func release(e *Engine, name string, force bool) error {
	_, err := do(e, mapper.Op{Kind: mapper.Release, Name: name, Force: force})
	return err
}

func infoOf(t *testing.T, e *Engine, name string) mapper.Info {
	t.Helper()
	op, err := do(e, mapper.Op{Kind: mapper.InfoOf, Name: name})
	must(t, err)
	return op.Info
}

// openForIO is the Open that comes with the first I/O.
func openForIO(t *testing.T, e *Engine, v mapper.Info) mapper.Info {
	t.Helper()
	op, err := do(e, mapper.Op{Kind: mapper.Open, Name: v.Name, Volume: v.UUID})
	must(t, err)
	return op.Info
}

func (p *pair) wantSub(e *Engine, v mapper.Info, index int64, sub int, want uint64) {
	p.t.Helper()
	got, err := readSub(e, p.blocks, v, index, sub)
	if err != nil || got != want {
		p.t.Fatalf("object %d, sub-block %d: %d, %v, want %d", index, sub, got, err, want)
	}
}

// TestGuestReads: a node without the lock sees what the owner has flushed, each time anew, through
// snapshots, compaction and another size.
func TestGuestReads(t *testing.T) {
	p := newPair(t)
	v := mustCreate(t, p.a, "v")
	_, err := acquire(p.a, "v")
	must(t, err)
	if i := openForIO(t, p.b, v); i.Flags&mapper.FlagUncached == 0 || i.Flags&mapper.FlagOpen != 0 || i.Owner != "node-a" {
		t.Fatalf("open of another node's volume: %+v", i)
	}
	for n := range uint64(40) { // an entry each time: the chunk is appended to, and compacted
		must(t, writeSub(p.a, p.blocks, v, 3, int(n%testSubs), n+1))
		if n%10 == 9 {
			_, err := snapshot(p.a, "v", fmt.Sprintf("s%d", n))
			must(t, err)
		}
		must(t, flush(p.a, v))
		p.wantSub(p.b, v, 3, int(n%testSubs), n+1)
	}
	_, err = do(p.a, mapper.Op{Kind: mapper.Resize, Name: "v", Size: 2 * testSize})
	must(t, err)
	if i := infoOf(t, p.b, "v"); i.Size != 2*testSize {
		t.Fatalf("size %d on the other node", i.Size)
	}
	if p.b.lookup(v.UUID) != nil {
		t.Fatal("the volume is in memory of the node that doesn't own it")
	}
}

// TestFirstIOTakesFreeLock: where nodes share the store the first read opens the volume, too; an
// open by name alone doesn't.
func TestFirstIOTakesFreeLock(t *testing.T) {
	p := newPair(t)
	v := mustCreate(t, p.a, "v")
	_, err := do(p.a, mapper.Op{Kind: mapper.Open, Name: "v"})
	must(t, err)
	if i := infoOf(t, p.b, "v"); i.Owner != "" {
		t.Fatalf("an open by name took the lock: %+v", i)
	}
	if i := openForIO(t, p.a, v); i.Flags&mapper.FlagOpen == 0 || i.Flags&mapper.FlagUncached != 0 {
		t.Fatalf("open for I/O of a free volume: %+v", i)
	}
	if i := openForIO(t, p.b, v); i.Flags&mapper.FlagUncached == 0 {
		t.Fatalf("open for I/O of a locked volume: %+v", i)
	}
}

// TestBusyOnOtherNode: what changes a volume fails at once and names the owner; writes wait.
func TestBusyOnOtherNode(t *testing.T) {
	p := newPair(t)
	v := mustCreate(t, p.a, "v")
	_, err := snapshot(p.a, "v", "s")
	must(t, err)
	_, err = acquire(p.a, "v")
	must(t, err)
	for _, op := range []mapper.Op{
		{Kind: mapper.Acquire, Name: "v"},
		{Kind: mapper.Release, Name: "v"},
		{Kind: mapper.Snapshot, Name: "v", Other: "s2"},
		{Kind: mapper.Rollback, Name: "v", Other: "s"},
		{Kind: mapper.Resize, Name: "v", Size: 2 * testSize},
		{Kind: mapper.Rename, Name: "v", Other: "w"},
		{Kind: mapper.Delete, Name: "v"},
	} {
		_, err := do(p.b, op)
		if !errors.Is(err, mapper.ErrBusy) || !strings.Contains(err.Error(), "locked by node node-a") {
			t.Errorf("operation %d: %v", op.Kind, err)
		}
	}
	_, err = mapWrite(p.b, v, 0)
	wantError(t, err, mapper.ErrAgain)
	_, err = do(p.b, mapper.Op{Kind: mapper.Close, Name: "v"})
	must(t, err)
	if i := infoOf(t, p.b, "v"); i.Owner != "node-a" {
		t.Fatalf("after all that: %+v", i)
	}
}

// TestHandOver: after close the other node works on what the first one left, not on what it knew.
func TestHandOver(t *testing.T) {
	p := newPair(t)
	v := mustCreate(t, p.a, "v")
	for turn, e := range []*Engine{p.a, p.b, p.a, p.b} {
		must(t, writeSub(e, p.blocks, v, 3, turn, uint64(100+turn)))
		_, err := snapshot(e, "v", "s"+string(rune('0'+turn))) // another epoch each time
		must(t, err)
		for sub := range turn + 1 {
			p.wantSub(e, v, 3, sub, uint64(100+sub))
		}
		must(t, release(e, "v", false))
		must(t, release(e, "v", false)) // of what is free: success
	}
	if i := infoOf(t, p.a, "v"); i.Owner != "" || i.Epoch != 5 {
		t.Fatalf("%+v", i)
	}
}

// TestChangeGivesLockBack: a change of a volume that wasn't open doesn't keep others waiting; one of
// an open volume leaves it open.
func TestChangeGivesLockBack(t *testing.T) {
	p := newPair(t)
	mustCreate(t, p.a, "v")
	for _, op := range []mapper.Op{
		{Kind: mapper.Snapshot, Name: "v", Other: "s"},
		{Kind: mapper.Resize, Name: "v", Size: 2 * testSize},
		{Kind: mapper.Rollback, Name: "v", Other: "s"},
		{Kind: mapper.Rename, Name: "v", Other: "w"},
		{Kind: mapper.Rename, Name: "w", Other: "v"},
	} {
		_, err := do(p.a, op)
		must(t, err)
		name := "v"
		if op.Other == "w" {
			name = "w"
		}
		if i := infoOf(t, p.b, name); i.Owner != "" {
			t.Errorf("operation %d left the lock with %s", op.Kind, i.Owner)
		}
	}
	_, err := acquire(p.a, "v")
	must(t, err)
	_, err = snapshot(p.a, "v", "s3")
	must(t, err)
	if i := infoOf(t, p.b, "v"); i.Owner != "node-a" {
		t.Errorf("a snapshot closed an open volume: %+v", i)
	}
	must(t, remove(p.a, "v"))
}

// TestBreakLock: -f takes the lock from another node; what that one had only in its pending log is
// lost, and it says so when it comes back.
func TestBreakLock(t *testing.T) {
	p := newPair(t)
	v := mustCreate(t, p.a, "v")
	must(t, writeSub(p.a, p.blocks, v, 3, 1, 30))
	must(t, flush(p.a, v))
	must(t, p.a.Close()) // killed
	wantError(t, release(p.b, "v", false), mapper.ErrBusy)
	must(t, release(p.b, "v", true))
	must(t, release(p.b, "v", true))
	must(t, writeSub(p.b, p.blocks, v, 3, 2, 31))
	p.wantSub(p.b, v, 3, 1, 30)
	must(t, release(p.b, "v", true)) // its own: flushed and closed
	if i := infoOf(t, p.b, "v"); i.Owner != "" {
		t.Fatalf("%+v", i)
	}
}

// TestRenamedNode: a node that was given another name knows its locks by its incarnation, with what
// is in its pending logs. After a reboot they are another node's, and -f breaks them.
func TestRenamedNode(t *testing.T) {
	p := newPair(t)
	dir := t.TempDir()
	old := p.node("old", 3, dir)
	v := mustCreate(t, old, "v")
	must(t, writeSub(old, p.blocks, v, 3, 1, 30))
	must(t, old.Close())
	renamed := p.node("new", 3, dir)
	renamed.Recover()
	p.wantSub(renamed, v, 3, 1, 30)
	must(t, writeSub(renamed, p.blocks, v, 3, 2, 31))
	must(t, flush(renamed, v))
	must(t, renamed.Close())

	rebooted := p.node("new", 3, t.TempDir())
	_, err := acquire(rebooted, "v")
	wantError(t, err, mapper.ErrBusy)
	if !strings.Contains(err.Error(), "node old, of this machine") {
		t.Errorf("%v", err)
	}
	must(t, release(rebooted, "v", true))
	_, err = acquire(rebooted, "v")
	must(t, err)
	p.wantSub(rebooted, v, 3, 2, 31)
}

// TestNamesake: two machines under one name are two nodes.
func TestNamesake(t *testing.T) {
	p := newPair(t)
	mustCreate(t, p.a, "v")
	_, err := acquire(p.a, "v")
	must(t, err)
	other := p.node("node-a", 9, t.TempDir())
	_, err = acquire(other, "v")
	wantError(t, err, mapper.ErrBusy)
	if !strings.Contains(err.Error(), "node-a, of another machine") {
		t.Errorf("%v", err)
	}
	// The same machine after a reboot takes its lock over.
	must(t, p.a.Close())
	again := p.node("node-a", 1, t.TempDir())
	_, err = acquire(again, "v")
	must(t, err)
}

// TestSnapshotGoneElsewhere: a snapshot that this node has open is another one's by the same name
// when another node has removed it and made a new one.
func TestSnapshotGoneElsewhere(t *testing.T) {
	p := newPair(t)
	v := mustCreate(t, p.a, "v")
	must(t, writeSub(p.a, p.blocks, v, 3, 1, 30))
	s, err := snapshot(p.a, "v", "s")
	must(t, err)
	openForIO(t, p.b, s)
	p.wantSub(p.b, s, 3, 1, 30)
	must(t, remove(p.a, "s"))
	if _, err := do(p.b, mapper.Op{Kind: mapper.InfoOf, Name: "s"}); !errors.Is(err, mapper.ErrNotFound) {
		t.Fatalf("a removed snapshot: %v", err)
	}
	must(t, writeSub(p.a, p.blocks, v, 3, 1, 31))
	s2, err := snapshot(p.a, "v", "s")
	must(t, err)
	if i := openForIO(t, p.b, s2); i.UUID != s2.UUID {
		t.Fatal("the old snapshot is found by its name")
	}
	p.wantSub(p.b, s2, 3, 1, 31)
}
