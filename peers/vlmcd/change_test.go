package vlmcd

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"archipelago/peers/mapper"
)

// id makes the id of a control operation.
func id(n byte) [16]byte { return [16]byte{7, n} }

func TestRollback(t *testing.T) {
	c := newClient(t, 3*64*kib, 64*kib)
	c.must(writeOf(0, 64*kib, 1))
	c.snapshot("s")
	c.must(writeOf(0, 2*64*kib, 2))
	c.must(readOf(0, 3*64*kib))
	rb := c.begin(Op{Kind: Rollback, Other: "s", RequestID: id(1)})
	behind := c.begin(readOf(0, 512))
	c.w.drain()
	if rb.op.Err != nil || rb.op.Info.UUID != c.info.UUID || rb.op.Info.Name != "v" {
		t.Fatalf("%v, %+v", rb.op.Err, rb.op.Info)
	}
	if behind.op.Err != nil || behind.op.Data[0] != 1 {
		t.Errorf("read behind it: %v %d", behind.op.Err, behind.op.Data[0])
	}
	c.expect(0, 64*kib, 1)
	c.expect(64*kib, 128*kib, 0)
	c.must(writeOf(512, 512, 3))
	c.expect(0, 512, 1)
	c.fails(Op{Kind: Rollback, Other: "none", RequestID: id(2)}, mapper.ErrNotFound)
	c.expect(512, 512, 3)
	s := &client{c.w, c.w.maps.byName["s"].info}
	s.expect(0, 64*kib, 1)
}

// TestRename: requests under the old name go on, whatever the name is used for now.
func TestRename(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	c.must(writeOf(0, 512, 1))
	rn := c.must(Op{Kind: Rename, Other: "w", RequestID: id(1)})
	if rn.Info.Name != "w" || rn.Info.UUID != c.info.UUID {
		t.Errorf("%+v", rn.Info)
	}
	c.expect(0, 512, 1)
	c.w.maps.create("v", 64*kib, 64*kib)
	c.must(writeOf(512, 512, 2))
	c.must(Op{Kind: Flush})
	// A map change means the volume that has the name.
	c.fails(Op{Kind: Snapshot, Other: "s", RequestID: id(2)}, mapper.ErrStale)
	c.expect(0, 512, 1)
	c.w.maps.restart()
	c.expect(512, 512, 2)
	w := &client{c.w, rn.Info}
	w.expect(512, 512, 2)
	// Behind the engine's back it has got another name: that of a request helps.
	m := c.w.maps
	v := m.byName["w"]
	delete(m.byName, "w")
	v.info.Name, m.byName["x"], v.open = "x", v, false
	w.info.Name = "x"
	m.restart()
	if err := w.do(Op{Kind: Close, RequestID: id(3)}).Err; err != nil {
		t.Fatal(err)
	}
	w.expect(512, 512, 2)
	w.fails(Op{Kind: Rename, Other: "v", RequestID: id(4)}, mapper.ErrExists)
}

// TestResize: what lies beyond the end is gone, and zeros if it comes back.
func TestResize(t *testing.T) {
	for _, small := range []int64{64 * kib, 70 * kib, 512} {
		for _, shared := range []bool{false, true} {
			c := newClient(t, 3*64*kib, 64*kib)
			c.must(writeOf(0, 3*64*kib, 1))
			if shared {
				c.snapshot("s")
			}
			r := c.must(Op{Kind: Resize, Size: small, RequestID: id(1)})
			if r.Info.Size != small {
				t.Errorf("%+v", r.Info)
			}
			c.expect(0, small, 1)
			c.fails(readOf(small-1, 2), mapper.ErrArgument)
			c.fails(writeOf(small, 512, 1), mapper.ErrNoSpace)
			c.must(Op{Kind: Resize, Size: 4 * 64 * kib, RequestID: id(2)})
			c.expect(0, small, 1)
			c.expect(small, 4*64*kib-small, 0)
			c.must(writeOf(4*64*kib-512, 512, 5))
			c.expect(4*64*kib-512, 512, 5)
			if shared {
				s := &client{c.w, c.w.maps.byName["s"].info}
				s.expect(0, 3*64*kib, 1)
			}
		}
	}
}

// TestShrinkUnderLoad: what waits under the freeze and lies beyond the new end fails; the rest goes
// on. Nothing is asked about objects that aren't there.
func TestShrinkUnderLoad(t *testing.T) {
	const size, small = 70 * 64 * kib, 64*kib + 512
	for seed := range uint64(40) {
		w := newWorld(t, seed)
		c := &client{w, w.maps.create("v", size, 64*kib)}
		w.again = 20 * int(seed%2)
		var all []*running
		ops := []Op{writeOf(0, 512, 1), writeOf(small-512, 512, 2), writeOf(small, 512, 3), writeOf(small-512, kib, 4),
			{Kind: Discard, Length: size}, {Kind: WriteZeroes, Offset: kib, Length: size - kib}, readOf(size-512, 512),
			{Kind: Flatten, Length: size}}
		for _, op := range ops {
			all = append(all, c.begin(op))
		}
		for range w.rng.IntN(60) {
			w.step()
		}
		rs := c.begin(Op{Kind: Resize, Size: small, RequestID: id(1)})
		for range w.rng.IntN(20) {
			w.step()
		}
		late := c.begin(writeOf(small+kib, 512, 9))
		w.again = 0
		w.drain()
		if rs.ended != 1 || rs.op.Err != nil {
			t.Fatalf("seed %d: %d %v", seed, rs.ended, rs.op.Err)
		}
		for i, r := range append(all, late) {
			n := mapper.Errno(r.op.Err)
			if r.ended != 1 || n != 0 && n != mapper.ErrNoSpace.Errno() && n != mapper.ErrArgument.Errno() {
				t.Fatalf("seed %d: request %d ended %d times: %v", seed, i, r.ended, r.op.Err)
			}
			if i < 2 && n != 0 {
				t.Fatalf("seed %d: request %d inside the volume: %v", seed, i, r.op.Err)
			}
		}
		c.must(Op{Kind: Resize, Size: size, RequestID: id(2)})
		c.expect(small, size-small, 0)
	}
}

// TestShrinkUnderAWait: a write that waits because the mapper couldn't answer fails if the volume ends
// before it when it gets its turn again. What lies inside goes on.
func TestShrinkUnderAWait(t *testing.T) {
	c := newClient(t, 4*64*kib, 64*kib)
	c.must(readOf(0, 512)) // it is open: what waits are pieces, which have begun
	c.w.again, c.w.hold = 100, noTimer
	inside, beyond := c.begin(writeOf(0, 512, 1)), c.begin(writeOf(3*64*kib, 512, 2))
	c.w.drain()
	if inside.ended+beyond.ended != 0 {
		t.Fatal("they don't wait")
	}
	c.w.again = 0
	c.must(Op{Kind: Resize, Size: 64 * kib, RequestID: id(1)})
	c.w.hold = nil
	c.w.drain()
	if inside.ended != 1 || inside.op.Err != nil {
		t.Errorf("inside: ended %d times, %v", inside.ended, inside.op.Err)
	}
	if beyond.ended != 1 || mapper.Errno(beyond.op.Err) != mapper.ErrNoSpace.Errno() {
		t.Errorf("beyond: ended %d times, %v", beyond.ended, beyond.op.Err)
	}
	c.must(Op{Kind: Resize, Size: 4 * 64 * kib, RequestID: id(2)})
	c.expect(64*kib, 3*64*kib, 0)
}

// TestFreezeInTheMiddle: a freeze waits for the pieces of a long operation that are under way, not for
// those that are still to come.
func TestFreezeInTheMiddle(t *testing.T) {
	const size = 4 * maxPieces * 64 * kib // 16.5 MiB
	for seed := range uint64(10) {
		w := newWorld(t, seed)
		c := &client{w, w.maps.create("v", size, 64*kib)}
		w.hold = noTimer
		long := c.begin(writeOf(0, size, 1))
		for range 1 + w.rng.IntN(2*maxPieces) {
			w.step()
		}
		if long.ended != 0 {
			t.Fatalf("seed %d: nothing is left to wait for", seed)
		}
		token := frozen(t, c)
		if long.ended != 0 {
			t.Fatalf("seed %d: the freeze has waited for all of it", seed)
		}
		c.must(Op{Kind: Thaw, Token: token})
		if long.ended != 1 || long.op.Err != nil {
			t.Errorf("seed %d: ended %d times, %v", seed, long.ended, long.op.Err)
		}
		w.hold = nil
		w.drain()
		c.expect(0, size, 1)
	}
}

// TestChangesAfterAKill: a map change that an engine was killed in, at any step, is repeated to its
// successor, and is made once.
func TestChangesAfterAKill(t *testing.T) {
	for steps := range 25 {
		w := newWorld(t, uint64(steps))
		c := &client{w, w.maps.create("v", 2*64*kib, 64*kib)}
		c.must(writeOf(0, 128*kib, 1))
		c.snapshot("s")
		c.must(writeOf(0, 512, 2))
		for i, op := range []Op{{Kind: Rollback, Other: "s"}, {Kind: Resize, Size: 64 * kib}, {Kind: Rename, Other: "w"}} {
			op.RequestID = id(byte(i))
			c.begin(op)
			for range steps {
				w.step()
			}
			w.kill()
			c.must(op)
		}
		c.info = w.maps.byName["w"].info
		if c.info.Epoch != 3 || c.info.Size != 64*kib {
			t.Fatalf("after %d steps: %+v", steps, c.info)
		}
		c.expect(0, 64*kib, 1)
	}
}

// frozen freezes a volume and returns the token.
func frozen(t *testing.T, c *client) uint64 {
	t.Helper()
	op := c.begin(Op{Kind: Freeze, RequestID: id(1)})
	c.until(func() bool { return op.ended == 1 })
	if op.op.Err != nil || op.op.Token == 0 {
		t.Fatalf("freeze: %v, token %d", op.op.Err, op.op.Token)
	}
	return op.op.Token
}

// noTimer keeps the engine's clock from going on.
func noTimer(what string) bool { return what == "timer" }

// TestGroup: two volumes that are frozen at once show one point in time.
func TestGroup(t *testing.T) {
	for seed := range uint64(60) {
		w := newWorld(t, seed)
		a := &client{w, w.maps.create("a", 64*kib, 64*kib)}
		b := &client{w, w.maps.create("b", 64*kib, 64*kib)}
		w.hold = noTimer
		// A client that writes 1, 2, 3 … to a and then to b, each after the one before.
		next := byte(0)
		var write func(c, other *client)
		write = func(c, other *client) {
			if c == a {
				next++
			}
			op := writeOf(0, 512, next)
			op.Volume, op.Name = c.info.UUID, []byte(c.info.Name)
			op.Done = func(*Op) {
				if next < 30 {
					write(other, c)
				}
			}
			w.engine.Submit(&op)
		}
		write(a, b)
		for range w.rng.IntN(150) {
			w.step()
		}
		ta, tb := frozen(t, a), frozen(t, b)
		snap := func(c *client, token uint64, n byte) *running {
			return c.begin(Op{Kind: Snapshot, Other: c.info.Name + "-s", Token: token, Group: id(9), Members: 2, RequestID: id(n)})
		}
		sa, sb := snap(a, ta, 2), snap(b, tb, 3)
		w.drain()
		if sa.ended != 1 || sb.ended != 1 || errors.Join(sa.op.Err, sb.op.Err) != nil {
			t.Fatalf("seed %d: %v", seed, errors.Join(sa.op.Err, sb.op.Err))
		}
		if next != 30 {
			t.Fatalf("seed %d: the writer got no further than %d", seed, next)
		}
		w.hold = nil
		w.drain()
		va := (&client{w, w.maps.byName["a-s"].info}).must(readOf(0, 512)).Data[0]
		vb := (&client{w, w.maps.byName["b-s"].info}).must(readOf(0, 512)).Data[0]
		if va != vb && va != vb+1 {
			t.Fatalf("seed %d: a at %d, b at %d", seed, va, vb)
		}
	}
}

// TestFreezeEnds: without its snapshot a freeze ends by itself, or when it is told to; a snapshot
// that comes afterwards fails, and so does one whose engine was killed meanwhile.
func TestFreezeEnds(t *testing.T) {
	snap := func(token uint64) Op { return Op{Kind: Snapshot, Other: "s", Token: token, RequestID: id(2)} }
	for _, how := range []string{"timer", "thaw", "kill"} {
		c := newClient(t, 64*kib, 64*kib)
		c.must(writeOf(0, 512, 1))
		c.w.hold = noTimer
		token := frozen(t, c)
		wr := c.begin(writeOf(0, 512, 2))
		c.w.drain()
		if wr.ended != 0 {
			t.Fatal("a write goes on under the freeze")
		}
		c.fails(snap(token+2), mapper.ErrStale)
		c.must(Op{Kind: Thaw, Token: token + 2})
		if wr.ended != 0 {
			t.Fatal("another token ends the freeze")
		}
		switch how {
		case "timer":
			c.w.hold = nil
			c.w.drain()
		case "thaw":
			c.must(Op{Kind: Thaw, Token: token})
			c.must(Op{Kind: Thaw, Token: token})
		case "kill":
			c.w.kill()
			wr = c.begin(*wr.op)
			c.w.drain()
		}
		if wr.ended != 1 || wr.op.Err != nil {
			t.Errorf("%s: the write ended %d times, %v", how, wr.ended, wr.op.Err)
		}
		c.fails(snap(token), mapper.ErrStale)
		if c.w.maps.byName["s"] != nil {
			t.Errorf("%s: a snapshot was made", how)
		}
		c.w.hold = nil
		c.w.drain()
		c.expect(0, 512, 2)
		c.must(snap(0))
	}
}

// TestSnapshotOutlivesTheFreezeTime: once the mapper has the snapshot, its answer ends the freeze.
func TestSnapshotOutlivesTheFreezeTime(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	c.must(writeOf(0, 512, 1))
	c.w.hold = noTimer
	token := frozen(t, c)
	answer := fmt.Sprintf("mapper %d ", mapper.Snapshot)
	c.w.hold = func(what string) bool { return strings.HasPrefix(what, answer) }
	sn := c.begin(Op{Kind: Snapshot, Other: "s", Token: token, RequestID: id(2)})
	wr := c.begin(writeOf(0, 512, 2))
	c.w.drain()
	if wr.ended != 0 || sn.ended != 0 {
		t.Fatal("the freeze ended before the answer")
	}
	c.w.hold = nil
	c.w.drain()
	got := (&client{c.w, c.w.maps.byName["s"].info}).must(readOf(0, 512)).Data
	if !bytes.Equal(got, bytes.Repeat([]byte{1}, 512)) {
		t.Errorf("the snapshot has %d", got[0])
	}
	c.expect(0, 512, 2)
}
