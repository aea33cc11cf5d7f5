package mapperd

import (
	"runtime"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// storeFull puts a volume of 1 TiB into the store whose map is full, without an engine: each of its
// 262144 objects has an entry.
func storeFull(t testing.TB, e *Engine, name string) mapper.Info {
	t.Helper()
	op, err := do(e, mapper.Op{Kind: mapper.Clone, Name: name, Size: 1 << 40})
	must(t, err)
	rec, err := e.readRecord(name)
	must(t, err)
	own := mapfmt.Owner{UUID: rec.UUID, Epoch: rec.Epoch}
	for no := range rec.Table {
		var c mapfmt.Chunk
		for i := range mapfmt.ChunkEntries {
			must(t, c.Set(i, &mapfmt.Entry{NumLevels: 1, Levels: [4]mapfmt.Level{
				{UUID: rec.UUID, Epoch: rec.Epoch, Birth: uint64(no*mapfmt.ChunkEntries + i + 1), Mask: mapfmt.FullMask},
			}}))
		}
		id := own.At(int64(no))
		data, _, err := mapfmt.EncodeChunk(id, rec.ObjectSize, mapfmt.NewBirth(), &c)
		must(t, err)
		must(t, e.replace(rec.UUID, mapfmt.ChunkName(id), data))
		rec.Table[no] = own
	}
	must(t, e.writeRecord(name, rec))
	return op.Info
}

// heap is what is in use after a collection.
func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// TestMemory: the whole map of an open volume of 1 TiB, and what is left of it when nobody uses it.
func TestMemory(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := storeFull(t, e, "v")
	before := heap()
	for no := range int64(256) {
		_, err := mapRead(e, v, no*mapfmt.ChunkEntries)
		must(t, err)
	}
	full := heap() - before
	open := e.lookup(v.UUID)
	for i := range 2 { // a chunk that was used since the last time stays once more
		open.age(time.Now().Add(time.Duration(i+1) * 2 * e.cfg.IdleAfter))
	}
	idle := heap() - before
	t.Logf("open with the whole map %.1f MiB, idle %.2f MiB", full, idle)
	if full > 48 || idle > 1 {
		t.Errorf("more than 48 MiB and 1 MiB")
	}
	_, err := mapRead(e, v, 0)
	must(t, err)
}
