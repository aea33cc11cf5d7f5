package vlmcd

import (
	"testing"
	"time"

	"archipelago/peers/blocker"
)

// TestCopyUpInTheBackground: what was copied on write in part is completed in the background, objects that nobody
// writes are left shared, and the pauses are those of the rate.
func TestCopyUpInTheBackground(t *testing.T) {
	const rate = 1 << 20
	c := newClient(t, 4*64*kib, 64*kib)
	w := c.w
	c.must(writeOf(0, 4*64*kib, 1))
	c.snapshot("s")
	w.cfg.CopyUpRate = rate
	w.kill()
	w.hold = noTimer
	c.must(writeOf(512, 512, 2))
	c.must(writeOf(2*64*kib, 8*kib, 3))
	c.must(writeOf(3*64*kib, 64*kib, 4))
	if e := c.entry(0); e.NumLevels != 2 {
		t.Fatalf("the scene isn't set: %+v", e)
	}
	w.pauses = nil
	w.hold = nil
	w.drain()
	for i, levels := range []uint8{1, 1, 1, 1} {
		e := c.entry(int64(i))
		own := e.Levels[0].Epoch == c.w.maps.byName["v"].info.Epoch
		if e.NumLevels != levels || own != (i != 1) {
			t.Errorf("object %d: %+v", i, e)
		}
	}
	sum := time.Duration(0)
	for _, p := range w.pauses {
		sum += p
	}
	if want := time.Duration(float64(60*kib+56*kib) / rate * float64(time.Second)); sum != want {
		t.Errorf("pauses of %v, want %v", sum, want)
	}
	c.expect(0, 512, 1)
	c.expect(512, 512, 2)
	c.expect(kib, 127*kib, 1)
	c.expect(128*kib, 8*kib, 3)
	c.expect(136*kib, 56*kib, 1)
	c.expect(192*kib, 64*kib, 4)
	if len(w.events) != 0 || len(w.engine.copyUps.queued) != 0 || w.engine.copyUps.running {
		t.Errorf("it doesn't rest: %d events, %d queued", len(w.events), len(w.engine.copyUps.queued))
	}
}

// TestCopyUpGivesUp: after an error, and of a volume that was closed, nothing is copied, and it
// begins again with the next write.
func TestCopyUpGivesUp(t *testing.T) {
	c := newClient(t, 4*64*kib, 64*kib)
	w := c.w
	c.must(writeOf(0, 4*64*kib, 1))
	c.snapshot("s")
	w.cfg.CopyUpRate = 1 << 20
	w.kill()
	w.hold = noTimer
	for i := range int64(4) {
		c.must(writeOf(i*64*kib, 4*kib, 2))
	}
	full := true
	w.fail = func(op *blocker.Op) error {
		if full && op.Kind == blocker.Copy {
			return blocker.ErrNoSpace
		}
		return nil
	}
	w.hold = nil
	w.drain()
	for i := range int64(4) {
		if e := c.entry(i); e.NumLevels != 2 {
			t.Errorf("object %d: %+v", i, e)
		}
	}
	full = false
	w.hold = noTimer
	c.must(writeOf(8*kib, 4*kib, 3))
	c.must(Op{Kind: Close, RequestID: id(1)})
	w.hold = nil
	w.drain()
	if e := c.entry(0); e.NumLevels != 2 {
		t.Errorf("of a closed volume: %+v", e)
	}
	c.must(writeOf(16*kib, 4*kib, 4))
	if e := c.entry(0); e.NumLevels != 1 {
		t.Errorf("in the end: %+v", e)
	}
	c.expect(0, 4*kib, 2)
	c.expect(20*kib, 44*kib, 1)
}
