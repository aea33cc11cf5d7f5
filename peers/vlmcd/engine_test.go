package vlmcd

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/memstore"
	"archipelago/peers/mapper"
)

func TestRangesAndKinds(t *testing.T) {
	c := newClient(t, 100*kib, 64*kib)
	for _, x := range []struct {
		op   Op
		want *mapper.Error
	}{
		{readOf(-1, 1), mapper.ErrArgument},
		{readOf(100*kib-1, 2), mapper.ErrArgument},
		{readOf(1<<62, 1), mapper.ErrArgument},
		{writeOf(100*kib-1, 2, 1), mapper.ErrNoSpace},
		{writeOf(-5, 2, 1), mapper.ErrArgument},
		{Op{Kind: WriteZeroes, Offset: 1, Length: 100 * kib}, mapper.ErrArgument},
		{Op{Kind: Discard, Offset: 1, Length: 1<<63 - 1}, mapper.ErrArgument},
		{Op{Kind: Discard, Length: -1}, mapper.ErrArgument},
		{Op{Kind: 99}, mapper.ErrArgument},
		{Op{}, mapper.ErrArgument},
	} {
		c.fails(x.op, x.want)
	}
	c.must(readOf(100*kib, 0))
	c.must(Op{Kind: Discard, Offset: 5, Length: 0})
	c.must(writeOf(100*kib-1, 1, 1))
	c.expect(100*kib-1, 1, 1)

	c.snapshot("s")
	s := &client{c.w, c.w.maps.byName["s"].info}
	got := &running{op: &Op{Kind: Read, Volume: s.info.UUID, Name: []byte("s"), Data: make([]byte, 1), Offset: 100*kib - 1}}
	got.op.Done = func(*Op) { got.ended++ }
	c.w.engine.Submit(got.op)
	for _, kind := range []Kind{Write, WriteZeroes, Discard} {
		op := &Op{Kind: kind, Volume: s.info.UUID, Name: []byte("s"), Data: make([]byte, 512), Length: 512, Done: func(*Op) {}}
		c.w.engine.Submit(op)
		c.w.drain()
		if mapper.Errno(op.Err) != mapper.ErrReadOnly.Errno() {
			t.Errorf("operation %d on a snapshot: %v", kind, op.Err)
		}
	}
	if got.ended != 1 || got.op.Data[0] != 1 {
		t.Errorf("read of a snapshot: %v %v", got.op.Err, got.op.Data)
	}
}

// TestNames: the UUID decides; the name only helps to find it.
func TestNames(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	c.w.maps.create("other", 64*kib, 64*kib)
	submit := func(u UUID, name string) *Op {
		op := &Op{Kind: Read, Volume: u, Name: []byte(name), Data: make([]byte, 512), Done: func(*Op) {}}
		c.w.engine.Submit(op)
		return op
	}
	none := submit(UUID{}, "v")
	good := submit(c.info.UUID, "v")
	submit(c.info.UUID, "other")
	submit(c.info.UUID, "nothing")
	unknown := submit(UUID{1}, "nothing")
	c.w.drain()
	for _, x := range []struct {
		op   *Op
		want mapper.Error
	}{{none, *mapper.ErrArgument}, {unknown, *mapper.ErrNotFound}} {
		if mapper.Errno(x.op.Err) != x.want.Errno() {
			t.Errorf("%s: %v, want %v", x.op.Name, x.op.Err, x.want)
		}
	}
	if good.Err != nil {
		t.Errorf("the right name suffers from wrong ones: %v", good.Err)
	}
	c.w.kill()
	wrong, gone := submit(c.info.UUID, "other"), submit(c.info.UUID, "nothing")
	good = submit(c.info.UUID, "v")
	c.w.drain()
	if mapper.Errno(wrong.Err) != mapper.ErrStale.Errno() || mapper.Errno(gone.Err) != mapper.ErrNotFound.Errno() || good.Err != nil {
		t.Errorf("wrong name: %v; missing name: %v; right name: %v", wrong.Err, gone.Err, good.Err)
	}
	if n := len(c.w.engine.volumes); n != 1 {
		t.Errorf("%d volumes are remembered", n)
	}
}

// TestRoute: another thread's volume is refused with its port, whatever the operation.
func TestRoute(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	c.w.cfg.Route = func(u UUID) (uint32, bool) { return 501, u != c.info.UUID }
	c.w.start()
	for _, op := range []Op{readOf(0, 512), {Kind: Flush}, {Kind: Snapshot, Other: "s"}, {Kind: Close}, {Kind: Delete}} {
		done := c.do(op)
		if mapper.Errno(done.Err) != mapper.ErrStale.Errno() || done.Info.Port != 501 {
			t.Errorf("operation %d: %v, port %d", op.Kind, done.Err, done.Info.Port)
		}
	}
	named := &Op{Kind: Snapshot, Name: []byte("v"), Other: "s", Done: func(*Op) {}}
	c.w.engine.Submit(named)
	c.w.drain()
	if mapper.Errno(named.Err) != mapper.ErrStale.Errno() || named.Info.Port != 501 {
		t.Errorf("by name: %v, port %d", named.Err, named.Info.Port)
	}
	for _, kind := range []Kind{Open, Info} {
		if done := c.must(Op{Kind: kind}); done.Info.Port != 501 || done.Info.UUID != c.info.UUID {
			t.Errorf("operation %d: %+v", kind, done.Info)
		}
	}
}

// TestNotNow: what the mapper can't answer waits outside the drain, bounded, and can be refused.
func TestNotNow(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	c.w.cfg.MaxParked = 5
	c.w.start()
	c.must(Op{Kind: Open})
	c.w.again = 100
	var all []*running
	for i := range 8 {
		all = append(all, c.begin(writeOf(int64(i)*512, 512, byte(i+1))))
	}
	noWait := writeOf(0, 512, 9)
	for range 200 {
		c.w.step()
	}
	refused := 0
	for _, r := range all {
		if r.ended == 1 && mapper.Errno(r.op.Err) == mapper.ErrAgain.Errno() {
			refused++
		}
	}
	if refused != 3 {
		t.Errorf("%d of 8 refused where 5 may wait", refused)
	}
	// A map change doesn't wait for them.
	snap := c.begin(Op{Kind: Snapshot, Other: "s", RequestID: [16]byte{1}})
	for range 500 {
		c.w.step()
	}
	if snap.ended != 1 || snap.op.Err != nil {
		t.Errorf("snapshot beside parked requests: ended %d, %v", snap.ended, snap.op.Err)
	}
	c.w.again = 0
	c.w.drain()
	for i, r := range all[:5] {
		if r.ended != 1 || r.op.Err != nil {
			t.Errorf("write %d: ended %d, %v", i, r.ended, r.op.Err)
		}
	}
	c.w.maps.restart()
	c.w.kill()
	c.w.again = 100
	noWait.Flags = FlagNoWait
	r := c.begin(noWait)
	for range 50 {
		c.w.step()
	}
	if r.ended != 1 || mapper.Errno(r.op.Err) != mapper.ErrAgain.Errno() {
		t.Errorf("FlagNoWait: ended %d, %v", r.ended, r.op.Err)
	}
}

// TestStaleStorm: a commit that is always stale ends with EIO and its cause, not in a loop.
func TestStaleStorm(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	c.w.maps.stale = 100
	done := c.do(writeOf(0, 512, 1))
	if mapper.Errno(done.Err) != mapper.ErrIO.Errno() || !strings.Contains(done.Err.Error(), "reservation") {
		t.Errorf("%v", done.Err)
	}
	if n := c.w.maps.counts[mapper.Commit]; n != maxTries+1 {
		t.Errorf("%d commits", n)
	}
	c.w.maps.stale = 0
	c.must(writeOf(0, 512, 1))
	c.expect(0, 512, 1)
}

// TestSharedWork: requests share what can be shared.
func TestSharedWork(t *testing.T) {
	c := newClient(t, 16<<20, 64*kib) // 256 objects
	w := c.w
	var all []*running
	for i := range 16 {
		all = append(all, c.begin(writeOf(int64(i)*4*kib, 4*kib, byte(i))))
	}
	w.drain()
	for i, r := range all {
		if r.op.Err != nil {
			t.Fatal(r.op.Err)
		}
		c.expect(int64(i)*4*kib, 4*kib, byte(i))
	}
	want := map[mapper.Kind]int{mapper.Open: 1, mapper.MapRead: 1, mapper.MapWrite: 1, mapper.Commit: 1}
	if fmt.Sprint(w.maps.counts) != fmt.Sprint(want) {
		t.Errorf("16 first writes to an object: %v", w.maps.counts)
	}
	c.must(readOf(0, 16<<20))
	if n := w.maps.counts[mapper.MapRead]; n != 4 {
		t.Errorf("%d questions for 256 entries", n)
	}
	before := fmt.Sprint(w.maps.counts)
	for range 20 {
		c.must(writeOf(0, 64*kib, 1))
		c.must(readOf(0, 1<<20))
	}
	if after := fmt.Sprint(w.maps.counts); after != before {
		t.Errorf("steady I/O asks the mapper: %s, then %s", before, after)
	}
	syncs := w.countSyncs()
	for range 10 {
		c.begin(Op{Kind: Flush})
	}
	w.drain()
	// What the first one covers needs the mapper, and nothing was committed before the second.
	if n := w.maps.counts[mapper.Flush]; n != 1 || *syncs != 1 {
		t.Errorf("%d flushes and %d syncs for 10 flushes at once", n, *syncs)
	}
}

// TestCopiesNoMoreThanItMust: a first write over a snapshot copies the rest of the sub-blocks at
// its edges, and nothing else.
func TestCopiesNoMoreThanItMust(t *testing.T) {
	c := newClient(t, 4<<20, 4<<20)
	c.must(writeOf(0, 4<<20, 1))
	c.snapshot("s")
	copied := map[int64]int64{} // by offset: a copy is seen once for each of its parts
	c.w.fail = func(op *blocker.Op) error {
		if copies(op.Kind) {
			copied[op.Offset] = op.Length - int64(len(op.Data))
		}
		return nil
	}
	for _, x := range []struct{ off, n, copy int64 }{
		{0, 64 * kib, 0}, {65 * kib, 512, 64*kib - 512}, {66 * kib, 512, 0},
		{128*kib + 512, 256 * kib, 64 * kib}, {1 << 20, 3 << 20, 0},
	} {
		clear(copied)
		c.must(writeOf(x.off, x.n, 2))
		sum := int64(0)
		for _, n := range copied {
			sum += n
		}
		if sum != x.copy {
			t.Errorf("write of %d at %d copies %d, want %d", x.n, x.off, sum, x.copy)
		}
	}
	if e := c.entry(0); e.NumLevels != 2 {
		t.Errorf("%+v", e)
	}
}

// TestDeleteAndClose: what waits under a freeze meets the outcome.
func TestDeleteAndClose(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	c.must(writeOf(0, 64*kib, 1))
	cl := c.begin(Op{Kind: Close, RequestID: [16]byte{1}})
	rd := c.begin(readOf(0, 512))
	c.w.drain()
	if cl.op.Err != nil || rd.ended != 1 || rd.op.Err != nil || rd.op.Data[0] != 1 {
		t.Errorf("close: %v; read behind it: %v", cl.op.Err, rd.op.Err)
	}
	del := c.begin(Op{Kind: Delete, RequestID: [16]byte{2}})
	rd = c.begin(readOf(0, 512))
	c.w.drain()
	if del.op.Err != nil || rd.ended != 1 || mapper.Errno(rd.op.Err) != mapper.ErrNotFound.Errno() {
		t.Errorf("delete: %v; read behind it: %v", del.op.Err, rd.op.Err)
	}
	if len(c.w.engine.volumes) != 0 || len(c.w.engine.pages) != 0 {
		t.Errorf("a deleted volume is remembered: %d, %d pages", len(c.w.engine.volumes), len(c.w.engine.pages))
	}
	c.fails(Op{Kind: Snapshot, Other: "s", RequestID: [16]byte{3}}, mapper.ErrNotFound)
}

// TestBytes compares volumes of all object sizes with a plain array, request by request.
func TestBytes(t *testing.T) {
	for objectSize := int64(64 * kib); objectSize <= 4<<20; objectSize *= 4 {
		t.Run(fmt.Sprint(objectSize), func(t *testing.T) { compareBytes(t, objectSize) })
	}
}

func compareBytes(t *testing.T, objectSize int64) {
	c := newClient(t, 3*objectSize+5*kib, objectSize)
	rng := rand.New(rand.NewPCG(uint64(objectSize), 2))
	want := make([]byte, c.info.Size)
	for i := range 120 {
		off := rng.Int64N(c.info.Size)
		n := 1 + rng.Int64N(min(c.info.Size-off, []int64{100, 5 * kib, objectSize / 3, 2 * objectSize}[i%4]))
		if i%12 == 11 {
			c.snapshot(fmt.Sprint("s", i))
		}
		switch rng.IntN(6) {
		case 0:
			c.must(Op{Kind: WriteZeroes, Offset: off, Length: n})
			clear(want[off : off+n])
		case 1:
			if !bytes.Equal(c.must(readOf(off, n)).Data, want[off:off+n]) {
				t.Fatalf("read of %d at %d", n, off)
			}
		default:
			op := writeOf(off, n, byte(i+1))
			op.Flags = Flags(rng.IntN(2)) * (FlagFUA | FlagFlush)
			c.must(op)
			for j := off; j < off+n; j++ {
				want[j] = byte(i + 1)
			}
		}
	}
	if got := c.must(readOf(0, c.info.Size)).Data; !bytes.Equal(got, want) {
		t.Fatal("the volume differs")
	}
}

// TestDiscard: whole sub-blocks that are shared, and any part of own ones, read as zeros.
func TestDiscard(t *testing.T) {
	c := newClient(t, 128*kib, 64*kib)
	c.must(writeOf(0, 64*kib, 1))
	c.snapshot("s")
	c.must(writeOf(16*kib, 4*kib, 2))
	c.must(Op{Kind: Discard, Offset: 17 * kib, Length: kib})
	c.expect(16*kib, kib, 2)
	c.expect(17*kib, kib, 0)
	c.expect(18*kib, 2*kib, 2)
	c.must(Op{Kind: Discard, Offset: 31 * kib, Length: 6 * kib}) // one whole, two in part
	c.expect(20*kib, 12*kib, 1)
	c.expect(32*kib, 4*kib, 0)
	c.expect(36*kib, 28*kib, 1)
	c.must(Op{Kind: Discard, Offset: 64 * kib, Length: 64 * kib})
	if e := c.entry(1); !e.IsZero() {
		t.Errorf("a discard of nothing made %+v", e)
	}
	c.must(Op{Kind: Discard, Length: 128 * kib, Flags: FlagFUA})
	c.expect(0, 128*kib, 0)
}

// instant is a mapper that answers within Submit, for the allocation test.
type instant struct{ m *fakeMapper }

func (i instant) Submit(op *mapper.Op) {
	i.m.do(op)
	op.Done(op)
}

// silent is a store that does nothing, within Submit.
type silent struct{ *memstore.Store }

func (s silent) Submit(op *blocker.Op) {
	op.Err = nil
	op.Done(op)
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	w := newWorld(t, 1)
	info := w.maps.create("v", 64<<20, mapfmt.DefaultObjectSize)
	e := New(Config{Mapper: instant{w.maps}, Blocks: silent{w.store}, After: func(time.Duration, func()) {}})
	ended := 0
	op := &Op{Volume: info.UUID, Name: []byte("v"), Data: make([]byte, 1<<20), Done: func(*Op) { ended++ }}
	for _, kind := range []Kind{Write, Read} {
		for _, off := range []int64{0, 12345, 3 << 20, 7<<20 - 4096} {
			op.Kind, op.Offset = kind, off
			e.Submit(op)
			if n := testing.AllocsPerRun(100, func() { e.Submit(op) }); n != 0 || op.Err != nil {
				t.Errorf("operation %d at %d allocates %v times, %v", kind, off, n, op.Err)
			}
		}
	}
	if ended != 2*4*102 {
		t.Errorf("%d ended", ended)
	}
	if s, ok := e.Stats(info.UUID); !ok || s.Writes != 4*102 || s.BytesRead != 4*102<<20 {
		t.Errorf("counters: %+v", s)
	}
}

func BenchmarkRead4K(b *testing.B)  { benchmark(b, Read) }
func BenchmarkWrite4K(b *testing.B) { benchmark(b, Write) }

func benchmark(b *testing.B, kind Kind) {
	w := newWorld(b, 1)
	info := w.maps.create("v", 1<<30, mapfmt.DefaultObjectSize)
	e := New(Config{Mapper: instant{w.maps}, Blocks: silent{w.store}, After: func(time.Duration, func()) {}})
	op := &Op{Volume: info.UUID, Name: []byte("v"), Data: make([]byte, 4096), Done: func(*Op) {}, Kind: Write}
	for off := int64(0); off < info.Size; off += info.ObjectSize {
		op.Offset = off
		e.Submit(op)
	}
	op.Kind = kind
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		op.Offset = int64(i) * 7919 * 4096 & (info.Size - 1)
		e.Submit(op)
	}
}
