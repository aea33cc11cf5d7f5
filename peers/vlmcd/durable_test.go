package vlmcd

import (
	"errors"
	"strings"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// cutPower leaves what was durable, and starts an engine on it.
func (w *world) cutPower() {
	w.store = w.store.PowerCut(func(int) int { return 0 })
	w.maps.powerCut()
	w.kill()
}

// countSyncs counts the syncs that the engine asks the store for from now on.
func (w *world) countSyncs() *int {
	n := 0
	w.fail = func(op *blocker.Op) error {
		if op.Kind == blocker.Sync {
			n++
		}
		return nil
	}
	return &n
}

// TestFlushWithoutTheMapper: where the map is durable a flush syncs the data and asks nobody else;
// what came into the map since the last one is the mapper's.
func TestFlushWithoutTheMapper(t *testing.T) {
	c := newClient(t, 256*kib, 64*kib)
	w := c.w
	flush := func(what string, mapperFlushes, syncs int) {
		t.Helper()
		before, n := w.maps.counts[mapper.Flush], w.countSyncs()
		c.must(Op{Kind: Flush})
		if got := w.maps.counts[mapper.Flush] - before; got != mapperFlushes || *n != syncs {
			t.Errorf("%s: %d flushes of the mapper and %d syncs, want %d and %d", what, got, *n, mapperFlushes, syncs)
		}
	}
	c.must(writeOf(0, 64*kib, 1))
	flush("after a first write", 1, 0)
	c.must(writeOf(0, 64*kib, 2))
	flush("after a write in place", 0, 1)
	c.must(writeOf(64*kib, 64*kib, 3))
	flush("after another first write", 1, 0)
	c.must(writeOf(64*kib, 64*kib, 4))
	c.must(Op{Kind: Discard, Length: 64 * kib})
	flush("after a discard", 1, 0)
	c.must(writeOf(64*kib, 512, 5))
	flush("after a write in place", 0, 1)
	c.snapshot("s")
	flush("after a snapshot", 1, 0)
	c.must(writeOf(64*kib, 4*kib, 6))
	flush("after a first write over the snapshot", 1, 0)
	c.must(writeOf(64*kib, 4*kib, 7))
	flush("at last", 0, 1)
	w.store = w.store.PowerCut(func(int) int { return 0 })
	w.maps.powerCut()
	w.kill()
	c.expect(0, 64*kib, 0)
	c.expect(64*kib, 4*kib, 7)
	c.must(writeOf(64*kib, 4*kib, 8))
	flush("of an engine that is new", 1, 0)
}

// TestFailedSyncFailsTheFlush: also where the mapper isn't asked.
func TestFailedSyncFailsTheFlush(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	c.must(writeOf(0, 64*kib, 1))
	c.must(Op{Kind: Flush})
	c.must(writeOf(0, 512, 2))
	c.w.fail = func(op *blocker.Op) error {
		if op.Kind == blocker.Sync {
			return errors.New("broken")
		}
		return nil
	}
	if op := c.do(Op{Kind: Flush}); op.Err == nil || !strings.Contains(op.Err.Error(), "flush volume") {
		t.Errorf("flush over a broken disk: %v", op.Err)
	}
}

// TestFUA: whatever state an object is in, what was written to it with FUA survives a power cut
// that takes all that wasn't synced.
func TestFUA(t *testing.T) {
	states := map[string]func(c *client){
		"new":                  func(*client) {},
		"with a pending entry": func(c *client) { c.must(writeOf(0, 64*kib, 1)) },
		"with a durable entry": func(c *client) {
			c.must(writeOf(0, 64*kib, 1))
			c.must(Op{Kind: Flush})
			c.must(writeOf(32*kib, 512, 9))
		},
		"under a snapshot": func(c *client) {
			c.must(writeOf(0, 64*kib, 1))
			c.snapshot("s")
		},
		"copied in part": func(c *client) {
			c.must(writeOf(0, 64*kib, 1))
			c.snapshot("s")
			c.must(writeOf(0, 512, 9))
		},
		"discarded, not durably": func(c *client) {
			c.must(writeOf(0, 64*kib, 1))
			c.must(Op{Kind: Flush})
			c.must(Op{Kind: Discard, Length: 64 * kib})
		},
	}
	ops := map[string]Op{
		"write":         writeOf(8*kib+512, 9*kib, 7),
		"write whole":   writeOf(0, 64*kib, 7),
		"zeroes":        {Kind: WriteZeroes, Offset: 8*kib + 512, Length: 9 * kib},
		"zeroes whole":  {Kind: WriteZeroes, Length: 64 * kib},
		"discard":       {Kind: Discard, Offset: 8 * kib, Length: 12 * kib},
		"discard whole": {Kind: Discard, Length: 64 * kib},
	}
	for state, make := range states {
		for name, op := range ops {
			c := newClient(t, 64*kib, 64*kib)
			make(c)
			op.Flags = FlagFUA
			c.must(op)
			n, value := op.Length, byte(0)
			if op.Kind == Write {
				n, value = int64(len(op.Data)), 7
			}
			c.expect(op.Offset, n, value)
			c.w.cutPower()
			got := c.must(readOf(op.Offset, n)).Data
			for i, b := range got {
				if b != value {
					t.Errorf("%s of an object %s: byte %d is %d after a power cut", name, state, i, b)
					break
				}
			}
		}
	}
}

// TestBadObject: after a failed sync every flush fails, and so does FUA where it needs one, until the
// object was rewritten whole. Nothing else is refused meanwhile.
func TestBadObject(t *testing.T) {
	c := newClient(t, 128*kib, 64*kib)
	w := c.w
	w.whole = true
	c.must(writeOf(0, 64*kib, 1))
	c.must(Op{Kind: Flush})
	c.must(writeOf(512, 512, 2))
	bad := mapfmt.ObjectName(mapfmt.ObjectOf(0, c.entry(0).Levels[0]))
	w.store.FailSync(func(name string) error {
		if name == bad {
			return errors.New("the disk is broken")
		}
		return nil
	})
	c.fails(Op{Kind: Flush}, mapper.ErrIO)
	w.store.FailSync(nil)
	for range 2 {
		c.fails(Op{Kind: Flush}, mapper.ErrIO)
	}
	fua := writeOf(64*kib, 512, 3)
	fua.Flags = FlagFUA
	c.fails(fua, mapper.ErrIO)
	c.must(writeOf(1024, 512, 4))
	c.expect(512, 512, 2)
	c.fails(Op{Kind: Flush}, mapper.ErrIO)
	c.must(writeOf(0, 64*kib, 5))
	c.must(Op{Kind: Flush})
	c.must(fua)
	w.cutPower()
	c.expect(0, 64*kib, 5)
	c.expect(64*kib, 512, 3)
}

// TestNoSpace lets each call of the store that makes something, one after the other, find a full
// disk: the request fails with ENOSPC, nothing that was there is harmed, and it can be made again
// when there is room.
func TestNoSpace(t *testing.T) {
	for _, state := range []string{"new", "shared", "three below"} {
		for fails := 0; ; fails++ {
			c := newClient(t, 128*kib, 64*kib)
			old := byte(0)
			if state != "new" {
				old = 1
				c.must(writeOf(0, 128*kib, 1))
				c.snapshot("s")
			}
			if state == "three below" {
				for i := range 2 {
					c.must(writeOf(int64(i)*4*kib+40*kib, 4*kib, 1))
					c.snapshot(strings.Repeat("t", i+1))
				}
			}
			n := 0
			c.w.fail = func(op *blocker.Op) error {
				if op.Kind == blocker.Read {
					return nil
				}
				if n++; n-1 == fails {
					return blocker.ErrNoSpace
				}
				return nil
			}
			ops := []Op{writeOf(kib, 10*kib, 2), {Kind: WriteZeroes, Offset: 80*kib + 512, Length: 9 * kib}}
			done := make([]*Op, len(ops))
			for i, op := range ops {
				if done[i] = c.do(op); done[i].Err != nil && mapper.Errno(done[i].Err) != mapper.ErrNoSpace.Errno() {
					t.Fatalf("%s, call %d: %v", state, fails, done[i].Err)
				}
			}
			c.w.fail = nil
			c.expect(0, kib, old)
			c.expect(11*kib, 69*kib, old)
			if done[0].Err != nil {
				c.expect(kib, 10*kib, old)
			}
			if done[1].Err != nil {
				c.expect(80*kib+512, 9*kib, old)
			}
			for _, op := range ops {
				c.must(op)
			}
			c.expect(0, kib, old)
			c.expect(kib, 10*kib, 2)
			c.expect(11*kib, 69*kib+512, old)
			c.expect(80*kib+512, 9*kib, 0)
			c.expect(89*kib+512, 38*kib+512, old)
			if n <= fails {
				break // every call has failed once
			}
		}
	}
}

// TestNoSpaceForTheMap: a COMMIT that finds no room fails its writes alone.
func TestNoSpaceForTheMap(t *testing.T) {
	c := newClient(t, 128*kib, 64*kib)
	c.must(writeOf(0, 64*kib, 1))
	c.snapshot("s")
	c.w.maps.noSpace = true
	for range 3 {
		c.fails(writeOf(512, 512, 2), mapper.ErrNoSpace)
		c.fails(writeOf(64*kib, 512, 2), mapper.ErrNoSpace)
	}
	c.expect(0, 64*kib, 1)
	c.expect(64*kib, 64*kib, 0)
	c.w.maps.noSpace = false
	c.must(writeOf(512, 512, 2))
	c.must(writeOf(64*kib+512, 512, 3))
	c.expect(0, 512, 1)
	c.expect(512, 512, 2)
	c.expect(64*kib, 512, 0)
	c.expect(64*kib+512, 512, 3)
}
