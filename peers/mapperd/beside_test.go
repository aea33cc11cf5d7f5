package mapperd

import (
	"strings"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/memstore"
	"archipelago/peers/mapper"
)

// TestFlushBesideFirstWrite: a flush that began when there was no pending log leaves the one alone
// that a write has made meanwhile.
func TestFlushBesideFirstWrite(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	syncs, goOn := make(chan struct{}), make(chan struct{})
	e.cfg.Blocks = storeFunc(func(op *blocker.Op) {
		if op.Kind == blocker.Sync {
			close(syncs)
			<-goOn
		}
		w.fblocks.Submit(op)
	})
	flushed := make(chan error)
	go func() { flushed <- flush(e, v) }()
	<-syncs
	mustWrite(t, w, v, 0, 0, 7)
	mustWrite(t, w, v, 1, 0, 8)
	close(goOn)
	must(t, <-flushed)
	w.restart()
	wantSub(t, w, v, 0, 0, 7)
	wantSub(t, w, v, 1, 0, 8)
}

// TestTrimOfKilledPredecessor: a mapper that is killed between the append of a trim and its sync
// leaves entries that look trimmed, and come back when the power fails. The successor makes them
// durable before it takes the mark away.
func TestTrimOfKilledPredecessor(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	for i := range int64(3) {
		mustWrite(t, w, v, i, 0, uint64(i)+1)
	}
	must(t, flush(e, v))
	w.restart()
	var killed *memstore.Store
	w.engine.cfg.Maps = storeFunc(func(op *blocker.Op) {
		if op.Kind == blocker.Sync && strings.HasPrefix(op.Name, mapfmt.ChunkPrefix) && killed == nil {
			killed = w.maps.Clone()
		}
		w.fmaps.Submit(op)
	})
	shrink := mapper.Op{Kind: mapper.Resize, Name: "v", Size: testObject, RequestID: [16]byte{1}}
	_, err := do(w.engine, shrink)
	must(t, err)
	if killed == nil {
		t.Fatal("the trim has appended nothing")
	}
	w.maps = killed
	_, err = do(w.restart(), shrink)
	must(t, err)
	must(t, w.engine.Close())
	w.maps, w.boot = w.maps.PowerCut(func(int) int { return 0 }), [16]byte{2}
	_, err = do(w.start(), mapper.Op{Kind: mapper.Resize, Name: "v", Size: 3 * testObject, RequestID: [16]byte{2}})
	must(t, err)
	wantSub(t, w, v, 0, 0, 1)
	wantSub(t, w, v, 1, 0, 0)
	wantSub(t, w, v, 2, 0, 0)
}
