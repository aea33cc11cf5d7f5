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

// made counts the modifying calls of the store from now on.
func (w *world) made() *int {
	n := new(int)
	w.fail = func(op *blocker.Op) error {
		if op.Kind != blocker.Read {
			*n++
		}
		return nil
	}
	return n
}

// TestDropWhole: a whole object that is discarded, or made zeros, leaves the map, be it own or
// shared, and nothing is written for that. A new write gets a new object.
func TestDropWhole(t *testing.T) {
	for _, kind := range []Kind{Discard, WriteZeroes} {
		for _, shared := range []bool{false, true} {
			const size = 2*64*kib + 20*kib
			c := newClient(t, size, 64*kib)
			c.must(writeOf(0, size, 1))
			if shared {
				c.snapshot("s")
			}
			old := c.entry(1)
			calls := c.w.made()
			c.must(Op{Kind: kind, Length: size, Flags: FlagFUA})
			if *calls != 0 {
				t.Errorf("kind %d, shared %v: %d calls of the store", kind, shared, *calls)
			}
			for i := range int64(3) {
				if e := c.entry(i); !e.IsZero() {
					t.Errorf("kind %d, shared %v: object %d is %+v", kind, shared, i, e)
				}
			}
			c.expect(0, size, 0)
			c.must(writeOf(64*kib+512, 512, 2))
			if e := c.entry(1); e.NumLevels != 1 || e.Levels[0].Birth == old.Levels[0].Birth {
				t.Errorf("written again: %+v after %+v", e, old)
			}
			c.expect(64*kib, 512, 0)
			c.expect(64*kib+512, 512, 2)
			c.expect(65*kib, 20*kib, 0)
			c.w.store = c.w.store.PowerCut(func(int) int { return 0 })
			c.w.maps.powerCut()
			c.w.kill()
			c.expect(0, 64*kib, 0)
			if shared {
				s := &client{c.w, c.w.maps.byName["s"].info}
				s.expect(0, size, 1)
			}
		}
	}
}

// TestDropWaitsForWritesInPlace: and those that come while the object is taken out of the map wait
// for that, and then make a new one.
func TestDropWaitsForWritesInPlace(t *testing.T) {
	for seed := range uint64(60) {
		w := newWorld(t, seed)
		c := &client{w, w.maps.create("v", 64*kib, 64*kib)}
		w.maps.stale = 30 * int(seed%2)
		c.must(writeOf(0, 64*kib, 1))
		before := c.begin(writeOf(0, 4*kib, 2))
		for range w.rng.IntN(4) {
			w.step()
		}
		drop := c.begin(Op{Kind: Discard, Length: 64 * kib})
		for range w.rng.IntN(12) {
			w.step()
		}
		after := c.begin(writeOf(8*kib, 4*kib, 3))
		w.drain()
		if before.ended != 1 || drop.ended != 1 || after.ended != 1 || errors.Join(before.op.Err, drop.op.Err, after.op.Err) != nil {
			t.Fatalf("seed %d: %d %d %d: %v", seed, before.ended, drop.ended, after.ended,
				errors.Join(before.op.Err, drop.op.Err, after.op.Err))
		}
		got := c.must(readOf(0, 64*kib)).Data
		if v := got[20*kib]; v != 0 {
			t.Fatalf("seed %d: what was discarded reads as %d", seed, v)
		}
	}
}

// TestDropFails: an object that can't be taken out of the map stays as it is.
func TestDropFails(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	c.must(writeOf(0, 64*kib, 1))
	c.w.maps.noSpace = true
	c.fails(Op{Kind: Discard, Length: 64 * kib}, mapper.ErrNoSpace)
	c.must(writeOf(512, 512, 2))
	c.w.maps.noSpace = false
	c.expect(0, 512, 1)
	c.expect(512, 512, 2)
	c.must(Op{Kind: Discard, Length: 64 * kib})
	c.expect(0, 64*kib, 0)
}

// TestFlatten: every object becomes one of the volume's own, what the origin lacks is zeros, and
// what is there already is left alone.
func TestFlatten(t *testing.T) {
	const size = 5*64*kib + 7*kib
	o := newClient(t, size, 64*kib)
	w := o.w
	o.must(writeOf(0, 64*kib, 1))
	o.must(writeOf(64*kib+8*kib, 4*kib, 2))
	o.must(writeOf(5*64*kib, 7*kib, 4))
	o.snapshot("s")
	c := &client{w, w.maps.clone("c", "s")}
	c.must(writeOf(10*kib, 20*kib, 3))
	c.must(writeOf(3*64*kib, 64*kib, 5))
	op := c.must(Op{Kind: Flatten, Length: size})
	for i := range int64(6) {
		e := c.entry(i)
		if e.IsZero() && (i == 2 || i == 4) {
			continue
		}
		if e.NumLevels != 1 || e.Levels[0].UUID != c.info.UUID || e.Bottom != mapfmt.BottomZero {
			t.Errorf("object %d: %+v", i, e)
		}
	}
	if op.Copied < 64*kib || op.Copied > 3*64*kib {
		t.Errorf("%d bytes were copied", op.Copied)
	}
	calls := w.made()
	if again := c.must(Op{Kind: Flatten, Length: size}); again.Copied != 0 || *calls != 0 {
		t.Errorf("again: %d bytes, %d calls", again.Copied, *calls)
	}
	for name := range objectNames(w) {
		if strings.HasPrefix(name, mapfmt.FormatUUID(o.info.UUID)) {
			w.maps.must(&blocker.Op{Kind: blocker.Delete, Name: name})
		}
	}
	for _, x := range []struct {
		off, n int64
		want   byte
	}{{0, 10 * kib, 1}, {10 * kib, 20 * kib, 3}, {30 * kib, 34 * kib, 1}, {64 * kib, 8 * kib, 0}, {72 * kib, 4 * kib, 2},
		{76 * kib, 116 * kib, 0}, {3 * 64 * kib, 64 * kib, 5}, {4 * 64 * kib, 64 * kib, 0}, {5 * 64 * kib, 7 * kib, 4}} {
		c.expect(x.off, x.n, x.want)
	}
	s := &client{w, w.maps.byName["s"].info}
	s.fails(Op{Kind: Flatten, Length: size}, mapper.ErrReadOnly)
}

// TestFlattenOverLeftovers: bytes that a killed engine left in an own object don't show where nothing
// is below.
func TestFlattenOverLeftovers(t *testing.T) {
	o := newClient(t, 64*kib, 64*kib)
	w := o.w
	o.must(writeOf(0, 64*kib, 1))
	o.snapshot("s")
	s := w.maps.byName["s"]
	e := s.entries[0]
	e.Levels[0].Mask = 3
	s.entries[0] = e
	c := &client{w, w.maps.clone("c", "s")}
	c.must(writeOf(512, 512, 2))
	junk := make([]byte, 4*kib)
	fillSectors(junk, 99)
	name := mapfmt.ObjectName(mapfmt.ObjectOf(0, c.entry(0).Levels[0]))
	w.maps.must(&blocker.Op{Kind: blocker.Write, Name: name, Offset: 8 * kib, Data: junk})
	w.kill()
	c.must(Op{Kind: Flatten, Length: 64 * kib})
	c.expect(0, 512, 1)
	c.expect(512, 512, 2)
	c.expect(kib, 7*kib, 1)
	c.expect(8*kib, 56*kib, 0)
}

// objectNames returns the names of all objects.
func objectNames(w *world) map[string]bool {
	names := map[string]bool{}
	data := make([]byte, 1<<20)
	op := &blocker.Op{Kind: blocker.List, Data: data}
	w.maps.must(op)
	for b := data[:op.N]; len(b) > 0; {
		n := int(b[0]) | int(b[1])<<8
		names[string(b[2:2+n])] = true
		b = b[2+n:]
	}
	return names
}

// TestFlattenGoesOnAfterAKill: a flatten that was killed anywhere is begun again and copies the
// rest, beside writes.
func TestFlattenGoesOnAfterAKill(t *testing.T) {
	for steps := range 80 {
		w := newWorld(t, uint64(steps))
		o := &client{w, w.maps.create("v", 3*64*kib, 64*kib)}
		o.must(writeOf(0, 3*64*kib, 1))
		o.snapshot("s")
		c := &client{w, w.maps.clone("c", "s")}
		c.begin(Op{Kind: Flatten, Length: 3 * 64 * kib})
		wr := c.begin(writeOf(70*kib, 9*kib, 2))
		for range steps {
			w.step()
		}
		w.kill()
		c.must(Op{Kind: Flatten, Length: 3 * 64 * kib})
		if wr.ended == 0 {
			c.must(*wr.op)
		}
		c.expect(0, 70*kib, 1)
		c.expect(70*kib, 9*kib, 2)
		c.expect(79*kib, 113*kib, 1)
		for i := range int64(3) {
			if e := c.entry(i); e.NumLevels != 1 || e.Levels[0].UUID != c.info.UUID {
				t.Fatalf("after %d steps object %d is %+v", steps, i, e)
			}
		}
	}
}

// TestFlattenIsGentle: it copies few objects at a time.
func TestFlattenIsGentle(t *testing.T) {
	o := newClient(t, 40*64*kib, 64*kib)
	o.must(writeOf(0, 40*64*kib, 1))
	o.snapshot("s")
	c := &client{o.w, o.w.maps.clone("c", "s")}
	f := c.begin(Op{Kind: Flatten, Length: 40 * 64 * kib})
	copying := fmt.Sprintf("blocker %d", blocker.Copy)
	for o.w.step() {
		n := map[string]bool{}
		for _, e := range o.w.events {
			if strings.HasPrefix(e.what, copying) {
				n[strings.Fields(e.what)[2]] = true
			}
		}
		if len(n) > maxFlattening {
			t.Fatalf("%d objects are copied at once", len(n))
		}
	}
	if f.ended != 1 || f.op.Err != nil || f.op.Copied != 40*64*kib {
		t.Errorf("%d %v %d", f.ended, f.op.Err, f.op.Copied)
	}
}
