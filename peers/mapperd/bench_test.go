package mapperd

import (
	"fmt"
	"runtime"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// benchWorld has one volume of 1 TiB in objects of 4 MiB, open, with a first object committed.
func benchWorld(b *testing.B) (*world, mapper.Info) {
	w := newWorld(b)
	w.slots = 1 << 16
	e := w.start()
	op, err := do(e, mapper.Op{Kind: mapper.Clone, Name: "v", Size: 1 << 40})
	must(b, err)
	must(b, commitNew(e, op.Info, 0))
	return w, op.Info
}

// commitNew makes a complete object in an empty place of the map.
func commitNew(e *Engine, info mapper.Info, index int64) error {
	entry, err := mapWrite(e, info, index)
	if err == nil {
		entry.Levels[0].Mask = mapfmt.FullMask
		_, err = commit(e, info, index, entry)
	}
	return err
}

func run(b *testing.B, e *Engine, op *mapper.Op) {
	op.Done = func(*mapper.Op) {}
	b.ReportAllocs()
	for b.Loop() {
		e.Submit(op)
	}
	must(b, op.Err)
}

func BenchmarkMapRead(b *testing.B) {
	w, v := benchWorld(b)
	run(b, w.engine, &mapper.Op{Kind: mapper.MapRead, Volume: v.UUID, Entries: make([]mapfmt.Entry, 1)})
}

func BenchmarkMapRead1024(b *testing.B) {
	w, v := benchWorld(b)
	run(b, w.engine, &mapper.Op{Kind: mapper.MapRead, Volume: v.UUID, Entries: make([]mapfmt.Entry, 1024)})
}

func BenchmarkMapWritePresent(b *testing.B) {
	w, v := benchWorld(b)
	run(b, w.engine, &mapper.Op{Kind: mapper.MapWrite, Volume: v.UUID})
}

func BenchmarkMapWriteNew(b *testing.B) {
	w, v := benchWorld(b)
	run(b, w.engine, &mapper.Op{Kind: mapper.MapWrite, Volume: v.UUID, Index: 1})
}

func BenchmarkCommitAgain(b *testing.B) {
	w, v := benchWorld(b)
	entry, err := mapRead(w.engine, v, 0)
	must(b, err)
	run(b, w.engine, &mapper.Op{Kind: mapper.Commit, Volume: v.UUID, Entry: entry})
}

// BenchmarkCommit commits a sub-block each time: the log is written, and trimmed without a flush.
func BenchmarkCommit(b *testing.B) {
	w, v := benchWorld(b)
	_, err := snapshot(w.engine, "v", "s")
	must(b, err)
	var entries [64]mapfmt.Entry
	for i := range entries {
		must(b, commitNew(w.engine, v, int64(i+1)))
	}
	_, err = snapshot(w.engine, "v", "s2")
	must(b, err)
	op := mapper.Op{Kind: mapper.MapWrite, Volume: v.UUID, Index: 1}
	must(b, mapper.Do(w.engine, &op))
	op.Kind, op.Done = mapper.Commit, func(*mapper.Op) {}
	open := w.engine.lookup(v.UUID)
	fresh := op.Entry
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		op.Entry = fresh
		op.Entry.Levels[0].Mask = 1 << (n % 63)
		w.engine.Submit(&op)
		if n%63 == 62 || op.Err != nil {
			b.StopTimer()
			must(b, op.Err)
			must(b, forget(open, fresh))
			b.StartTimer()
		}
	}
}

// forget takes an object out of the map again, so that its sub-blocks can be committed anew.
func forget(v *volume, fresh mapfmt.Entry) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.log != nil {
		v.log.trim(v.log.next)
	}
	below := fresh.WithoutLevel(0)
	return v.set(v.chunks[0], 1, &below)
}

func BenchmarkCreate(b *testing.B) {
	w := newWorld(b)
	e := w.start()
	for n := 0; b.Loop(); n++ {
		mustCreate(b, e, fmt.Sprintf("v%d", n))
	}
}

// filled is a volume of 1 TiB whose map is full: 256 chunks.
func filled(b *testing.B) (*world, mapper.Info) {
	w, v := benchWorld(b)
	for i := range int64(1<<40) / mapfmt.DefaultObjectSize {
		must(b, commitNew(w.engine, v, i))
	}
	must(b, flush(w.engine, v))
	return w, v
}

func BenchmarkSnapshotFull(b *testing.B) {
	w, _ := filled(b)
	for n := 0; b.Loop(); n++ {
		_, err := snapshot(w.engine, "v", fmt.Sprintf("s%d", n))
		must(b, err)
	}
}

func BenchmarkCloneFull(b *testing.B) {
	w, _ := filled(b)
	_, err := snapshot(w.engine, "v", "s")
	must(b, err)
	for n := 0; b.Loop(); n++ {
		_, err := clone(w.engine, fmt.Sprintf("c%d", n), "s")
		must(b, err)
	}
}

func BenchmarkRemoveSnapshot(b *testing.B) {
	w, _ := filled(b)
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		_, err := snapshot(w.engine, "v", fmt.Sprintf("s%d", n))
		must(b, err)
		b.StartTimer()
		must(b, remove(w.engine, fmt.Sprintf("s%d", n)))
	}
}

// BenchmarkMemory reports what the full map of an open volume of 1 TiB takes.
func BenchmarkMemory(b *testing.B) {
	w, v := filled(b)
	must(b, w.engine.Close())
	w.start()
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		op := mapper.Op{
			Kind: mapper.MapRead, Volume: v.UUID, Name: "v",
			Entries: make([]mapfmt.Entry, 1),
		}
		for c := range int64(256) {
			op.Index = c * mapfmt.ChunkEntries
			must(b, mapper.Do(w.engine, &op))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
		_, err := do(w.engine, mapper.Op{Kind: mapper.Close, Name: "v"})
		must(b, err)
	}
}
