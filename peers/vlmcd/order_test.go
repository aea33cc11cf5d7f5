package vlmcd

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

const kib = 1 << 10

// TestFailedWriteLeavesNoTrace: what a failed write left in an object that was being born doesn't
// show later, when another write commits the object as complete.
func TestFailedWriteLeavesNoTrace(t *testing.T) {
	c := newClient(t, 256*kib, 64*kib)
	w := c.w
	broken := errors.New("broken")
	w.fail = func(op *blocker.Op) error {
		if op.Kind == blocker.Write && op.Offset >= 32*kib {
			_ = blocker.Do(w.store, &blocker.Op{Kind: blocker.Write, Name: op.Name, Offset: op.Offset, Data: op.Data})
			return broken
		}
		return nil
	}
	w.hold = func(what string) bool {
		return strings.HasPrefix(what, fmt.Sprintf("blocker %d", blocker.Write)) && strings.Contains(what, " 0 for")
	}
	good := c.begin(writeOf(0, 512, 7))
	bad := c.begin(writeOf(32*kib, 512, 9))
	c.until(func() bool { return bad.ended == 1 })
	if mapper.Errno(bad.op.Err) != mapper.ErrIO.Errno() || !errors.Is(bad.op.Err, broken) {
		t.Fatalf("the failed write: %v", bad.op.Err)
	}
	look := c.begin(readOf(32*kib, 512))
	c.until(func() bool { return look.ended == 1 })
	if good.ended != 0 || look.op.Data[0] != 0 {
		t.Fatal("the scene isn't set")
	}
	w.hold = nil
	w.drain()
	if good.ended != 1 || good.op.Err != nil {
		t.Fatalf("the good write: %v", good.op.Err)
	}
	c.expect(0, 512, 7)
	c.expect(32*kib, 512, 0)
}

// TestLeftoversBesideAPartialWrite: bytes that a killed engine left in an own object don't show
// beside what is written into the same sub-block later, where nothing is below.
func TestLeftoversBesideAPartialWrite(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	c.must(writeOf(0, 512, 1))
	v := c.w.maps.byName["v"]
	e := v.entries[0]
	name := mapfmt.ObjectName(mapfmt.ObjectOf(0, e.Levels[0]))
	e.Levels[0].Mask = 1
	v.entries[0] = e
	junk := make([]byte, 4*kib)
	fillSectors(junk, 99)
	if err := blocker.Do(c.w.store, &blocker.Op{Kind: blocker.Write, Name: name, Offset: 8 * kib, Data: junk}); err != nil {
		t.Fatal(err)
	}
	c.w.kill()
	c.must(writeOf(9*kib, 512, 3))
	c.expect(8*kib, kib, 0)
	c.expect(9*kib, 512, 3)
	c.expect(9*kib+512, 4*kib, 0)
}

// TestFlushCoversWhatWasAcknowledged: a commit that was answered while a flush was under way isn't
// covered by it, so a write with FUA that follows needs a flush of its own.
func TestFlushCoversWhatWasAcknowledged(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	w := c.w
	flushEnd := fmt.Sprintf("end of mapper %d ", mapper.Flush)
	c.must(Op{Kind: Open})
	c.must(readOf(0, 512))
	w.hold = func(what string) bool { return strings.HasPrefix(what, flushEnd) }
	flush := c.begin(Op{Kind: Flush})
	w.drain()
	first := c.begin(writeOf(0, 512, 1))
	w.drain()
	if flush.ended != 0 || first.ended != 1 {
		t.Fatal("the scene isn't set")
	}
	w.hold = nil
	w.drain()
	op := writeOf(0, 512, 2)
	op.Flags = FlagFUA
	c.must(op)
	w.store = w.store.PowerCut(func(int) int { return 0 })
	w.maps.powerCut()
	w.kill()
	c.expect(0, 512, 2)
}

// TestOldAnswerDoesNotUndoACommit: an entry that was read before a commit, and is heard of after
// it, isn't believed.
func TestOldAnswerDoesNotUndoACommit(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	w := c.w
	c.must(writeOf(0, 64*kib, 1))
	c.snapshot("s")
	c.must(readOf(0, 512))
	once := true
	w.fail = func(op *blocker.Op) error {
		if once && op.Kind == blocker.Read {
			once = false
			return blocker.ErrNotFound
		}
		return nil
	}
	mapr, commit := fmt.Sprintf("end of mapper %d ", mapper.MapRead), fmt.Sprintf("mapper %d ", mapper.Commit)
	w.hold = func(what string) bool { return strings.HasPrefix(what, commit) }
	wr := c.begin(writeOf(8*kib, 4*kib, 2))
	w.drain() // up to the commit, which the mapper hasn't seen
	rd := c.begin(readOf(32*kib, 512))
	w.hold = func(what string) bool { return strings.HasPrefix(what, commit) || strings.HasPrefix(what, mapr) }
	w.drain() // the read found nothing, the entry was read, its answer lies there
	w.hold = func(what string) bool { return strings.HasPrefix(what, mapr) }
	w.drain()
	if wr.ended != 1 || rd.ended != 0 {
		t.Fatalf("the scene isn't set: %d %d", wr.ended, rd.ended)
	}
	w.hold = nil
	w.drain()
	c.expect(8*kib, 4*kib, 2)
	c.expect(32*kib, 4*kib, 1)
	if rd.ended != 1 || mapper.Errno(rd.op.Err) != mapper.ErrIO.Errno() {
		t.Errorf("the read that lacked an object: %d %v", rd.ended, rd.op.Err)
	}
}

// TestMissingObject: an object that the map names and the store hasn't is an error, never zeros;
// one that the map doesn't name any more is looked for where the map says.
func TestMissingObject(t *testing.T) {
	c := newClient(t, 128*kib, 64*kib)
	c.must(writeOf(0, 128*kib, 1))
	name := mapfmt.ObjectName(mapfmt.ObjectOf(0, c.entry(0).Levels[0]))
	move := mapfmt.ObjectName(mapfmt.ObjectOf(1, c.entry(1).Levels[0]))
	for _, n := range []string{name, move} {
		if n == move { // the entry changes and the object goes, as a collection does it
			v := c.w.maps.byName["v"]
			e := v.entries[1]
			e.Levels[0].Birth++
			v.entries[1] = e
			copied := mapfmt.ObjectName(mapfmt.ObjectOf(1, e.Levels[0]))
			if err := blocker.Do(c.w.store, &blocker.Op{Kind: blocker.Copy, Name: copied, Source: n, Length: 64 * kib}); err != nil {
				t.Fatal(err)
			}
		}
		if err := blocker.Do(c.w.store, &blocker.Op{Kind: blocker.Delete, Name: n}); err != nil {
			t.Fatal(err)
		}
	}
	c.fails(readOf(0, 512), mapper.ErrIO)
	if err := c.do(readOf(0, 512)).Err; !errors.Is(err, blocker.ErrNotFound) || !strings.Contains(err.Error(), name) {
		t.Errorf("the error doesn't name the object: %v", err)
	}
	c.expect(64*kib, 64*kib, 1)
}

// TestLongRequestUnderFreeze: an operation of more pieces than go out at once waits for the thaw
// with the rest; a freeze doesn't wait for all of them.
func TestLongRequestUnderFreeze(t *testing.T) {
	const size = 80 * 64 * kib
	for steps := range 12 {
		c := newClient(t, size, 64*kib)
		c.must(writeOf(0, size, 1))
		zero := c.begin(Op{Kind: WriteZeroes, Length: size})
		for range steps * 20 {
			c.w.step()
		}
		early := zero.ended == 0 && zero.op.cursor < size
		c.w.hold = func(what string) bool { return strings.HasPrefix(what, fmt.Sprintf("blocker %d", blocker.WriteZeroes)) }
		snap := c.begin(Op{Kind: Snapshot, Other: "s", RequestID: [16]byte{1}})
		c.w.drain() // the flush before the freeze
		early = early && zero.op.cursor < size
		c.w.hold = nil
		c.until(func() bool { return snap.ended == 1 })
		if early && zero.ended == 1 {
			t.Error("the freeze waited for pieces that came after it")
		}
		c.w.drain()
		if zero.ended != 1 || zero.op.Err != nil || snap.op.Err != nil {
			t.Fatalf("%v %v", zero.op.Err, snap.op.Err)
		}
		c.expect(0, size, 0)
	}
}

// TestKilledAtEveryEvent races two first writes on one object, new or cloned, kills the engine
// after each number of events, pushes both again, and expects both.
func TestKilledAtEveryEvent(t *testing.T) {
	for _, below := range []bool{false, true} {
		for steps := range 60 {
			for seed := range uint64(4) {
				raceAndKill(t, below, steps, seed)
			}
		}
	}
}

func raceAndKill(t *testing.T, below bool, steps int, seed uint64) {
	w := newWorld(t, seed)
	c := &client{w, w.maps.create("v", 64*kib, 64*kib)}
	old := byte(0)
	if below {
		old = 5
		c.must(writeOf(0, 64*kib, old))
		c.snapshot("s")
	}
	ops := []Op{writeOf(kib, 512, 1), writeOf(2*kib, 8*kib, 2)}
	acked := []*running{c.begin(ops[0]), c.begin(ops[1])}
	for range steps {
		w.step()
	}
	w.kill()
	for i, r := range acked {
		at, n := ops[i].Offset, int64(len(ops[i].Data))
		if r.ended == 1 {
			c.expect(at, n, byte(i+1))
		} else {
			c.must(ops[i])
		}
	}
	c.expect(0, kib, old)
	c.expect(kib, 512, 1)
	c.expect(kib+512, 512, old)
	c.expect(2*kib, 8*kib, 2)
	c.expect(10*kib, 54*kib, old)
}
