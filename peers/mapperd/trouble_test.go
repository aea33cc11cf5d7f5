package mapperd

import (
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/faultstore"
	"archipelago/peers/mapper"
)

// TestFullLog commits far more than a log holds: commits wait for room, none is lost.
func TestFullLog(t *testing.T) {
	w := newWorld(t)
	w.slots = 4
	e := w.start()
	v := mustCreate(t, e, "v")
	for i := range int64(100) {
		mustWrite(t, w, v, i, 0, uint64(i+1))
	}
	w.restart()
	for i := range int64(100) {
		wantSub(t, w, v, i, 0, uint64(i+1))
	}
}

// TestFullLogThatCantBeFlushed: a commit that waits for room ends with the error of the flush, and
// writing goes on when the store has room again.
func TestFullLogThatCantBeFlushed(t *testing.T) {
	w := newWorld(t)
	w.slots = 4
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	must(t, flush(e, v))
	w.maps.SetFull(true)
	var err error
	n := int64(1)
	for ; err == nil && n < 10; n++ {
		err = writeSub(e, w.blocks, v, n, 0, uint64(n+1))
	}
	wantError(t, err, mapper.ErrNoSpace)
	if mapper.Errno(err) != syscall.ENOSPC {
		t.Fatalf("errno %v", mapper.Errno(err))
	}
	wantError(t, flush(e, v), mapper.ErrNoSpace)
	w.maps.SetFull(false)
	mustWrite(t, w, v, n, 0, uint64(n+1))
	must(t, flush(e, v))
	for i := range n - 2 {
		wantSub(t, w, v, i, 0, uint64(i+1))
	}
}

// TestBadObject: what could not be synced is never persisted, and every flush fails until the
// object was written anew.
func TestBadObject(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	entry, err := mapRead(e, v, 0)
	must(t, err)
	broken := errors.New("disk is broken")
	w.blocks.FailSync(func(string) error { return broken })
	for range 2 {
		if err := flush(e, v); err == nil {
			t.Fatal("flush succeeded though the sync had failed")
		}
		w.blocks.FailSync(nil)
	}
	if _, err := snapshot(e, "v", "s"); err == nil {
		t.Fatal("snapshot of what isn't durable")
	}
	if rec, err := e.readRecord("v"); err != nil || !rec.Table[0].IsNone() || rec.Epoch != 1 {
		t.Fatalf("record %+v, %v", rec, err)
	}
	must(t, blocker.Do(w.blocks, &blocker.Op{
		Kind: blocker.Write, Volume: v.UUID, Data: make([]byte, testObject),
		Name: mapfmt.ObjectName(mapfmt.ObjectOf(0, entry.Levels[0])),
	}))
	must(t, flush(e, v))
}

// TestFailedAppend: a chunk whose append or sync has failed gets a new base in the same flush.
func TestFailedAppend(t *testing.T) {
	for _, kind := range []blocker.Kind{blocker.Append, blocker.Sync, blocker.TruncateTail} {
		for _, late := range []bool{false, true} {
			w := newWorld(t)
			e := w.start()
			v := mustCreate(t, e, "v")
			mustWrite(t, w, v, 0, 0, 1)
			must(t, flush(e, v))
			e = w.restart()
			mustWrite(t, w, v, 1, 0, 2)
			w.fmaps.Inject(faultstore.Rule{Kind: kind, Times: 1, Err: blocker.ErrConflict, Late: late})
			must(t, flush(e, v))
			mustWrite(t, w, v, 2, 0, 3)
			must(t, flush(e, v))
			must(t, e.Close())
			w.maps = w.maps.PowerCut(func(int) int { return 0 })
			w.boot[0]++
			w.start()
			for i := range int64(3) {
				wantSub(t, w, v, i, 0, uint64(i+1))
			}
		}
	}
}

// TestLostAnswers: what was done, but answered with an error, is found to be done when it is asked
// for again.
func TestLostAnswers(t *testing.T) {
	lost := errors.New("answer lost")
	w := newWorld(t)
	e := w.start()
	id := byte(0)
	twice := func(kind blocker.Kind, op mapper.Op) mapper.Info {
		t.Helper()
		id++
		op.RequestID = [16]byte{id}
		w.fmaps.Inject(faultstore.Rule{Kind: kind, Times: 1, Err: lost, Late: true})
		_, err := do(e, op)
		wantError(t, err, lost)
		w.fmaps.Clear()
		done, err := do(e, op)
		must(t, err)
		return done.Info
	}
	v := twice(blocker.Create, mapper.Op{Kind: mapper.Clone, Name: "v", Size: testSize, ObjectSize: testObject})
	w.fmaps.Inject(faultstore.Rule{Kind: blocker.LockAdvance, Times: 1, Err: blocker.ErrConflict, Late: true})
	mustWrite(t, w, v, 0, 0, 1)
	w.fmaps.Clear()
	twice(blocker.Replace, mapper.Op{Kind: mapper.Snapshot, Name: "v", Other: "s"})
	twice(blocker.Create, mapper.Op{Kind: mapper.Snapshot, Name: "v", Other: "s2"})
	twice(blocker.Create, mapper.Op{Kind: mapper.Clone, Name: "c", Other: "s"})
	twice(blocker.Replace, mapper.Op{Kind: mapper.Clone, Name: "d", Other: "s"})
	twice(blocker.LockAdvance, mapper.Op{Kind: mapper.Close, Name: "v"})
	twice(blocker.Replace, mapper.Op{Kind: mapper.Delete, Name: "v", Volume: v.UUID})
	for _, name := range []string{"s", "s2", "c", "d"} {
		op, err := do(e, mapper.Op{Kind: mapper.Open, Name: name})
		must(t, err)
		wantSub(t, w, op.Info, 0, 0, 1)
		twice(blocker.Delete, mapper.Op{Kind: mapper.Delete, Name: name, Volume: op.Info.UUID})
	}
}

// TestOriginRemovedMeanwhile: a clone whose origin goes while it is made isn't made.
func TestOriginRemovedMeanwhile(t *testing.T) {
	for _, fault := range []bool{false, true} {
		w := newWorld(t)
		w.faults.skipOriginCheck = fault
		e := w.start()
		mustCreate(t, e, "v")
		_, err := snapshot(e, "v", "s")
		must(t, err)
		w.fmaps.Before(func(_ int, op *blocker.Op) error {
			if op.Kind == blocker.Create && op.Name == mapfmt.RecordName("c") {
				must(t, remove(e, "s"))
			}
			return nil
		})
		_, err = clone(e, "c", "s")
		if fault {
			must(t, err) // the check is what makes the difference
			continue
		}
		wantError(t, err, mapper.ErrNotFound)
		_, err = do(e, mapper.Op{Kind: mapper.Open, Name: "c"})
		wantError(t, err, mapper.ErrNotFound)
	}
}

// TestPendingIsFinished: whoever opens a clone that was interrupted makes it real, or undoes it.
func TestPendingIsFinished(t *testing.T) {
	for _, alive := range []bool{true, false} {
		w := newWorld(t)
		e := w.start()
		v := mustCreate(t, e, "v")
		mustWrite(t, w, v, 0, 0, 1)
		_, err := snapshot(e, "v", "s")
		must(t, err)
		w.fmaps.Inject(faultstore.Rule{Kind: blocker.Replace, Prefix: mapfmt.RecordName("c"), Err: errCut})
		_, err = clone(e, "c", "s")
		wantError(t, err, errCut)
		e = w.restart()
		if !alive {
			must(t, remove(e, "s"))
		}
		op, err := do(e, mapper.Op{Kind: mapper.Open, Name: "c"})
		if !alive {
			wantError(t, err, mapper.ErrNotFound)
			_, err = e.readRecord("c")
			wantError(t, err, mapper.ErrNotFound)
			continue
		}
		must(t, err)
		if op.Info.Flags != 0 {
			t.Fatalf("flags %x", op.Info.Flags)
		}
		wantSub(t, w, op.Info, 0, 0, 1)
	}
}

// object reads an object of the map store, changes it and writes it back.
func (w *world) object(name string, change func([]byte) []byte) {
	w.t.Helper()
	data, err := w.engine.readBytes(name)
	must(w.t, err)
	must(w.t, blocker.Do(w.maps, &blocker.Op{Kind: blocker.Replace, Name: name, Data: change(data)}))
}

func TestDamageIsNamed(t *testing.T) {
	flip := func(b []byte) []byte {
		b[len(b)/2] ^= 1
		return b
	}
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	_, err := do(e, mapper.Op{Kind: mapper.Close, Name: "v"})
	must(t, err)
	chunk := mapfmt.ChunkName(mapfmt.ChunkID{Owner: v.UUID, Epoch: 1})
	w.object(chunk, flip)
	wantDamage := func(err error, object string) {
		t.Helper()
		wantError(t, err, mapper.ErrCorrupt)
		if !strings.Contains(err.Error(), object) {
			t.Fatalf("%q doesn't name %s", err, object)
		}
	}
	_, err = mapRead(e, v, 0)
	wantDamage(err, chunk)
	_, err = mapWrite(e, v, 0)
	wantDamage(err, chunk)
	must(t, blocker.Do(w.maps, &blocker.Op{Kind: blocker.Delete, Name: chunk}))
	_, err = mapRead(e, v, 0)
	wantDamage(err, chunk)
	wantSub(t, w, v, 1024, 0, 0) // another chunk is as good as ever

	mustCreate(t, e, "x")
	w.object("v/x", flip)
	for _, op := range []mapper.Op{
		{Kind: mapper.Open, Name: "x"}, {Kind: mapper.InfoOf, Name: "x"}, {Kind: mapper.Delete, Name: "x"},
		{Kind: mapper.Snapshot, Name: "x", Other: "y"}, {Kind: mapper.Clone, Name: "y", Other: "x"},
	} {
		_, err = do(e, op)
		wantDamage(err, "v/x")
	}
	must(t, remove(e, "v")) // a volume with a damaged map can go

	must(t, e.Close())
	w.object(mapfmt.StoreHeaderName, flip)
	wantDamage(w.tryStart(), mapfmt.StoreHeaderName)
}

// TestTornTail cuts an append short: the tail goes, what was durable stays, and appending goes on.
func TestTornTail(t *testing.T) {
	for _, lost := range []int{1, mapfmt.RecordBytes - 1} {
		w := newWorld(t)
		e := w.start()
		v := mustCreate(t, e, "v")
		for i := range int64(3) {
			mustWrite(t, w, v, i, 0, uint64(i+1))
			must(t, flush(e, v))
		}
		must(t, e.Close())
		name := mapfmt.ChunkName(mapfmt.ChunkID{Owner: v.UUID, Epoch: 1})
		w.object(name, func(b []byte) []byte { return b[:len(b)-lost] })
		w.boot[0]++
		e = w.start()
		wantSub(t, w, v, 1, 0, 2)
		wantSub(t, w, v, 2, 0, 0)
		mustWrite(t, w, v, 3, 0, 4)
		must(t, flush(e, v))
		must(t, e.Close())
		w.maps = w.maps.PowerCut(func(int) int { return 0 })
		w.boot[0]++
		w.start()
		for i, want := range []uint64{1, 2, 0, 4} {
			wantSub(t, w, v, int64(i), 0, want)
		}
	}
}

// TestCompaction writes the same entries until their appended records outgrow the base.
func TestCompaction(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	_, err := snapshot(e, "v", "empty")
	must(t, err)
	mustWrite(t, w, v, 0, 0, 1)
	_, err = snapshot(e, "v", "s")
	must(t, err)
	name := mapfmt.ChunkName(mapfmt.ChunkID{Owner: v.UUID, Epoch: 3})
	largest, shrunk := int64(0), false
	for i := range int64(1000) {
		mustWrite(t, w, v, i, 0, uint64(i+1))
		must(t, flush(e, v))
		stat := blocker.Op{Kind: blocker.Stat, Name: name}
		must(t, blocker.Do(w.maps, &stat))
		shrunk = shrunk || stat.N < largest
		largest = max(largest, stat.N)
	}
	if !shrunk || largest > 2*appendMin {
		t.Fatalf("chunk file of up to %d bytes, shrunk: %v", largest, shrunk)
	}
	w.restart()
	for i := range int64(1000) {
		wantSub(t, w, v, i, 0, uint64(i+1))
	}
}

// TestIdleChunksLeave: what isn't used isn't kept, what is pending is.
func TestIdleChunksLeave(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	must(t, flush(e, v))
	mustWrite(t, w, v, 1030, 0, 2)
	open := e.lookup(v.UUID)
	now := time.Now()
	for i := range 3 {
		open.age(now.Add(time.Duration(i+1) * 2 * time.Hour))
	}
	if len(open.chunks) != 1 || open.chunks[1] == nil {
		t.Fatalf("%d chunks in memory, want the pending one", len(open.chunks))
	}
	wantSub(t, w, v, 0, 0, 1)
	wantSub(t, w, v, 1030, 0, 2)
}

// TestOldEntriesAreFlushed: nobody asked for a flush.
func TestOldEntriesAreFlushed(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	flushed := make(chan struct{})
	w.fmaps.After(func(_ int, op *blocker.Op) {
		if op.Kind == blocker.Replace && op.Name == mapfmt.RecordName("v") {
			close(flushed)
		}
	})
	e.tick(time.Now())
	e.tick(time.Now().Add(2 * time.Hour))
	<-flushed
}

// TestManyAtOnce lets writers, flushes, snapshots and clones of several volumes run together.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	w.slots = 16
	e := w.start()
	const writers, rounds = 4, 60
	v := mustCreate(t, e, "v")
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() {
			for r := range rounds {
				err := writeAgain(e, w, v, int64(i), r%testSubs, uint64(r+1))
				if err == nil && r%10 == 0 {
					err = flush(e, v)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Go(func() {
		for r := range 10 {
			name := "s" + string(rune('a'+r))
			if _, err := snapshot(e, "v", name); err != nil {
				t.Error(err)
			}
			if _, err := clone(e, "c"+name, name); err != nil {
				t.Error(err)
			}
		}
	})
	wait.Wait()
	w.restart()
	for i := range int64(writers) {
		for r := rounds - testSubs; r < rounds; r++ {
			wantSub(t, w, v, i, r%testSubs, uint64(r+1))
		}
	}
}

// writeAgain is writeSub that comes again while the volume is frozen.
func writeAgain(e *Engine, w *world, v mapper.Info, index int64, sub int, value uint64) error {
	for {
		err := writeSub(e, w.blocks, v, index, sub, value)
		if !errors.Is(err, mapper.ErrAgain) {
			return err
		}
	}
}

// TestLogGrows: a larger log takes over what is in the old one, and a log that fills up often
// becomes larger by itself; a kill finds everything that was committed.
func TestLogGrows(t *testing.T) {
	w := newWorld(t)
	w.slots = 8
	e := w.start()
	e.cfg.PendingMax = 100
	v := mustCreate(t, e, "v")
	values := int64(0)
	write := func() {
		mustWrite(t, w, v, values, 0, uint64(values+1))
		values++
	}
	for range 3 { // not so many that a flush begins by itself
		write()
	}
	open := e.lookup(v.UUID)
	open.growLog()
	if slots, used := open.log.header.Slots, open.log.used(); slots != 32 || used != 3 {
		t.Errorf("%d slots, %d used", slots, used)
	}
	slots := func() uint32 {
		open.mu.Lock()
		defer open.mu.Unlock()
		return open.log.header.Slots
	}
	for slots() < 100 {
		for range slots()/2 + 1 {
			write()
		}
		must(t, flush(e, v))
	}
	w.restart()
	for i := range values {
		wantSub(t, w, v, i, 0, uint64(i+1))
	}
}
