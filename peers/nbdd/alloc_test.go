package nbdd

import (
	"io"
	"testing"

	"archipelago/internal/nbd"
)

// TestSteadyIOAllocatesNothing: the promise of the hot path, for batches of reads and of writes.
func TestSteadyIOAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const batch, size = 16, 4096
	h := start(t, Limits{}, newMemory(newExport("disk", 1<<20, 64)))
	for _, structured := range []bool{false, true} {
		conn := h.raw()
		begin(t, conn, "disk", structured)
		var reads, writes []byte
		for i := range batch {
			q := nbd.Request{Offset: uint64(i) * size, Length: size}
			reads = q.Append(reads)
			q.Command = nbd.CmdWrite
			writes = append(q.Append(writes), make([]byte, size)...)
		}
		head := nbd.SimpleSize
		if structured {
			head = nbd.ChunkDataSize
		}
		replies := make([]byte, batch*(head+size))
		exchange := func(b []byte, n int) {
			if _, err := conn.Write(b); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(conn, replies[:n]); err != nil {
				t.Fatal(err)
			}
		}
		round := func() {
			exchange(reads, batch*(head+size))
			exchange(writes, batch*nbd.SimpleSize)
		}
		for range 50 { // until every list and free list has its size
			round()
		}
		if n := testing.AllocsPerRun(200, round); n > 0.5 {
			t.Errorf("structured %v: %.1f allocations in %d requests", structured, n, 2*batch)
		}
	}
}
