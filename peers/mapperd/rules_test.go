package mapperd

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/faultstore"
	"archipelago/peers/mapper"
)

// TestNoFlushAfterRemoval: a flush that comes late doesn't bring the record back.
func TestNoFlushAfterRemoval(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	open := e.lookup(v.UUID)
	must(t, remove(e, "v"))
	wantError(t, open.flush(), errClosed)
	_, err := e.readRecord("v")
	wantError(t, err, mapper.ErrNotFound)
}

// TestRemovalWaitsForFlush: a flush that runs writes the record; the removal comes after it.
func TestRemovalWaitsForFlush(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	reached := make(chan struct{})
	w.fmaps.Inject(faultstore.Rule{Kind: blocker.Replace, Prefix: "v/v", Times: 1, Hang: true})
	w.fmaps.Before(func(_ int, op *blocker.Op) error {
		if op.Kind == blocker.Replace && op.Name == "v/v" {
			close(reached)
		}
		return nil
	})
	flushed, removed := make(chan error, 1), make(chan error, 1)
	go func() { flushed <- flush(e, v) }()
	<-reached
	go func() { removed <- remove(e, "v") }()
	select {
	case err := <-removed:
		t.Errorf("removed beside a flush that writes the record: %v", err)
	case <-time.After(50 * time.Millisecond): // it waits; nothing depends on for how long
	}
	w.fmaps.Release()
	must(t, <-flushed)
	must(t, <-removed)
	_, err := e.readRecord("v")
	wantError(t, err, mapper.ErrNotFound)
}

// TestFailedDataSync: what a failed flush had cut is part of the next one.
func TestFailedDataSync(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	must(t, flush(e, v))
	mustWrite(t, w, v, 1, 0, 2)
	w.fblocks.Inject(faultstore.Rule{Kind: blocker.Sync, Times: 1, Err: errors.New("disk is slow")})
	if flush(e, v) == nil {
		t.Fatal("flush succeeded though the sync had failed")
	}
	mustWrite(t, w, v, 2, 0, 3)
	must(t, flush(e, v))
	must(t, e.Close())
	lose := func(int) int { return 0 }
	w.maps, w.blocks = w.maps.PowerCut(lose), w.blocks.PowerCut(lose)
	w.boot[0]++
	w.start()
	for i := range int64(3) {
		wantSub(t, w, v, i, 0, uint64(i+1))
	}
}

// TestAppendAfterKill: what a killed process appended without syncing it is made durable before
// more is appended; else a power cut could tear the first and leave the second.
func TestAppendAfterKill(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	must(t, flush(e, v))
	cutAtChunkSync := func(index int64) {
		t.Helper()
		mustWrite(t, w, v, index, 0, uint64(index+1))
		w.fmaps.Before(func(_ int, op *blocker.Op) error {
			if op.Kind == blocker.Sync || op.Kind == blocker.Replace {
				return errCut
			}
			return nil
		})
		wantError(t, flush(e, v), errCut)
	}
	cutAtChunkSync(1)
	e = w.restart()
	cutAtChunkSync(2)
	for seed := range uint64(300) {
		choose := rand.New(rand.NewPCG(seed, 1)).IntN
		x := &world{
			t: t, maps: w.maps.PowerCut(choose), blocks: w.blocks.PowerCut(choose), dir: w.dir,
			boot: [16]byte{9}, node: w.node,
		}
		x.start()
		if got, err := readSub(x.engine, x.blocks, v, 0, 0); err != nil || got != 1 {
			t.Fatalf("power cut %d: %d, %v", seed, got, err)
		}
		must(t, x.engine.Close())
	}
}

// TestInterruptedRemoval: from the tombstone on a snapshot is on its way; it can't be cloned, and
// the next removal ends it.
func TestInterruptedRemoval(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	mustCreate(t, e, "v")
	_, err := snapshot(e, "v", "s")
	must(t, err)
	w.fmaps.Inject(faultstore.Rule{Kind: blocker.Delete, Times: 1, Err: errCut})
	wantError(t, remove(e, "s"), errCut)
	_, err = clone(e, "c", "s")
	wantError(t, err, mapper.ErrNotFound)
	must(t, remove(e, "s"))
}

// TestLogOfAnotherGeneration: between two generations of this node another one owned the volume.
func TestLogOfAnotherGeneration(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	must(t, e.advance(v.UUID, 1, mapfmt.LockReleased))
	must(t, e.advance(v.UUID, 2, mapfmt.LockImplicit))
	w.restart()
	wantSub(t, w, v, 0, 0, 0)
	mustWrite(t, w, v, 0, 1, 2)
	w.restart()
	wantSub(t, w, v, 0, 1, 2)
}

// TestCreationPushedAgain: a blocker that was killed after it made the record answers the repeated
// creation with "exists"; the record says that it is this one.
func TestCreationPushedAgain(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	w.fmaps.Inject(faultstore.Rule{Kind: blocker.Create, Times: 3, Err: blocker.ErrExists, Late: true})
	mustCreate(t, e, "v")
	_, err := snapshot(e, "v", "s")
	must(t, err)
	_, err = clone(e, "c", "s")
	must(t, err)
}

// TestCommitWithoutLock: no reservation can be behind it.
func TestCommitWithoutLock(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	entry, err := mapWrite(e, v, 0)
	must(t, err)
	entry.Levels[0].Mask = mapfmt.FullMask
	_, err = do(e, mapper.Op{Kind: mapper.Close, Name: "v"})
	must(t, err)
	_, err = commit(e, v, 0, entry)
	wantError(t, err, mapper.ErrStale)
}

// TestFrozen: under a freeze nothing is reserved and nothing committed; reading goes on.
func TestFrozen(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	entry, err := mapWrite(e, v, 0)
	must(t, err)
	entry.Levels[0].Mask = mapfmt.FullMask
	open := e.lookup(v.UUID)
	open.freeze()
	_, err = mapWrite(e, v, 0)
	wantError(t, err, mapper.ErrAgain)
	_, err = commit(e, v, 0, entry)
	wantError(t, err, mapper.ErrStale)
	wantSub(t, w, v, 0, 0, 0)
	open.thaw()
	_, err = commit(e, v, 0, entry)
	must(t, err)
}
