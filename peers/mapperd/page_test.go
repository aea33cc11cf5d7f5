package mapperd

import (
	"fmt"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// TestLimits: every object size, up to 1 PiB and its last object, through snapshot, clone and
// rollback, and a restart.
func TestLimits(t *testing.T) {
	for size := int64(mapfmt.MinObjectSize); size <= mapfmt.MaxObjectSize; size *= 4 {
		t.Run(fmt.Sprint(size>>10, " KiB"), func(t *testing.T) {
			w := newWorld(t)
			e := w.start()
			op, err := do(e, mapper.Op{Kind: mapper.Clone, Name: "v", Size: mapfmt.MaxVolumeSize, ObjectSize: size})
			must(t, err)
			v, last := op.Info, mapfmt.MaxVolumeSize/size-1
			if int64(v.Chunks) != mapfmt.ChunkCount(mapfmt.MaxVolumeSize, size) {
				t.Errorf("%d chunks", v.Chunks)
			}
			check := func(info mapper.Info, want bool, places ...int64) {
				t.Helper()
				for _, i := range places {
					entry, err := mapRead(e, info, i)
					if err != nil || entry.IsZero() == want {
						t.Errorf("%s, object %d: %+v, %v", info.Name, i, entry, err)
					}
				}
			}
			for _, i := range []int64{0, last / 2, last} {
				must(t, commitNew(e, v, i))
			}
			s, err := snapshot(e, "v", "s")
			must(t, err)
			must(t, commitNew(e, v, 1))
			must(t, flush(e, v))
			c, err := clone(e, "c", "s")
			must(t, err)
			must(t, commitNew(e, c, last-1))
			_, err = do(e, mapper.Op{Kind: mapper.Close, Name: "c"})
			must(t, err)
			e = w.restart()
			check(v, true, 0, 1, last/2, last)
			check(s, true, 0, last/2, last)
			check(c, true, 0, last/2, last-1, last)
			check(v, false, 2, last-1, last/2+1)
			_, err = rollback(e, "v", "s")
			must(t, err)
			check(v, true, 0, last/2, last)
			check(v, false, 1)
		})
	}
}

// TestRecordStaysSmall: the record of the largest volume, and so what snapshot, clone and rollback
// write, doesn't grow with its map.
func TestRecordStaysSmall(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	op, err := do(e, mapper.Op{Kind: mapper.Clone, Name: "v", Size: mapfmt.MaxVolumeSize, ObjectSize: mapfmt.MinObjectSize})
	must(t, err)
	for i := range int64(20) {
		must(t, commitNew(e, op.Info, i*mapfmt.ChunkEntries*mapfmt.PageChunks))
	}
	must(t, flush(e, op.Info))
	data, err := e.readBytes(mapfmt.RecordName("v"))
	must(t, err)
	if len(data) > 64<<10 {
		t.Errorf("record of %d bytes", len(data))
	}
}
