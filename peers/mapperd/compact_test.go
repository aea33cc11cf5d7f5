package mapperd

import (
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/faultstore"
)

// TestRewritesNeedNoFlush: entries that change again and again don't fill the log, whose newest
// records are found after a kill.
func TestRewritesNeedNoFlush(t *testing.T) {
	w := newWorld(t)
	w.slots = 16
	e := w.start()
	v := mustCreate(t, e, "v")
	synced := false
	w.fblocks.Before(func(_ int, op *blocker.Op) error {
		synced = synced || op.Kind == blocker.Sync
		return nil
	})
	for sub := range testSubs {
		for index := range int64(3) {
			mustWrite(t, w, v, index, sub, uint64(100*sub)+uint64(index))
		}
	}
	if synced {
		t.Error("data was synced though nobody asked for it")
	}
	w.restart()
	for sub := range testSubs {
		for index := range int64(3) {
			wantSub(t, w, v, index, sub, uint64(100*sub)+uint64(index))
		}
	}
}

// TestKilledWhileCompacting: records that are in the log twice say the same.
func TestKilledWhileCompacting(t *testing.T) {
	w := newWorld(t)
	w.slots = 16
	e := w.start()
	v := mustCreate(t, e, "v")
	for sub := range 2 {
		mustWrite(t, w, v, 0, sub, uint64(sub+1))
		mustWrite(t, w, v, 5, sub, uint64(sub+11))
	}
	open := e.lookup(v.UUID)
	first := open.log.first
	open.mu.Lock()
	if !open.compactLog() {
		t.Fatal("not compacted")
	}
	if used := open.log.used(); used != 2 {
		t.Errorf("%d records of 2 entries", used)
	}
	open.log.trim(first) // as it was before the last step
	open.mu.Unlock()
	w.restart()
	for sub := range 2 {
		wantSub(t, w, v, 0, sub, uint64(sub+1))
		wantSub(t, w, v, 5, sub, uint64(sub+11))
	}
}

// TestRoomDuringFlush: while a flush waits for the disk the log grows instead of keeping writes
// waiting; the flush then trims what it has stored, and nothing else.
func TestRoomDuringFlush(t *testing.T) {
	w := newWorld(t)
	w.slots = 8
	e := w.start()
	e.cfg.PendingMax = 64
	v := mustCreate(t, e, "v")
	for i := range int64(3) {
		mustWrite(t, w, v, i, 0, uint64(i+1))
	}
	reached := make(chan struct{})
	w.fblocks.Inject(faultstore.Rule{Kind: blocker.Sync, Times: 1, Hang: true})
	w.fblocks.Before(func(_ int, op *blocker.Op) error {
		if op.Kind == blocker.Sync {
			close(reached)
		}
		return nil
	})
	flushed := make(chan error, 1)
	go func() { flushed <- flush(e, v) }()
	<-reached
	const until = 33
	for i := int64(3); i < until; i++ { // more than the log had room for
		mustWrite(t, w, v, i, 0, uint64(i+1))
	}
	w.fblocks.Before(nil)
	w.fblocks.Release()
	must(t, <-flushed)
	open := e.lookup(v.UUID)
	open.mu.Lock()
	used, live := open.log.used(), 0
	for _, c := range open.dirty {
		live += c.dirty.count()
	}
	open.mu.Unlock()
	if live != until-3 || used != live {
		t.Errorf("%d records for %d entries that aren't stored, want %d", used, live, until-3)
	}
	w.restart()
	for i := range int64(until) {
		wantSub(t, w, v, i, 0, uint64(i+1))
	}
}

func TestBitmapNext(t *testing.T) {
	var b bitmap
	want := []int{0, 1, 63, 64, 130, mapfmt.ChunkEntries - 1}
	for _, i := range want {
		b.set(i)
	}
	var got []int
	for i := b.next(0); i < mapfmt.ChunkEntries; i = b.next(i + 1) {
		got = append(got, i)
	}
	if len(got) != len(want) || b.count() != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}
