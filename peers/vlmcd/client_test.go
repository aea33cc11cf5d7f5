package vlmcd

import (
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// client makes single requests on a world, for tests that say what happens when.
type client struct {
	w    *world
	info mapper.Info
}

func newClient(t testing.TB, size, objectSize int64) *client {
	w := newWorld(t, 1)
	return &client{w, w.maps.create("v", size, objectSize)}
}

// begin submits an operation on the volume and returns it; ended tells whether it has ended.
func (c *client) begin(op Op) *running {
	r := &running{op: &op}
	op.Volume, op.Name = c.info.UUID, []byte(c.info.Name)
	op.Done = func(*Op) { r.ended++ }
	c.w.engine.Submit(r.op)
	return r
}

type running struct {
	op    *Op
	ended int
}

func (c *client) do(op Op) *Op {
	c.w.t.Helper()
	r := c.begin(op)
	c.w.drain()
	if r.ended != 1 {
		c.w.t.Fatalf("operation %d ended %d times", op.Kind, r.ended)
	}
	return r.op
}

func (c *client) must(op Op) *Op {
	c.w.t.Helper()
	done := c.do(op)
	if done.Err != nil {
		c.w.t.Fatalf("operation %d: %v", op.Kind, done.Err)
	}
	return done
}

// fails checks that an operation ends with an error of that kind.
func (c *client) fails(op Op, want *mapper.Error) {
	c.w.t.Helper()
	if done := c.do(op); mapper.Errno(done.Err) != want.Errno() {
		c.w.t.Errorf("operation %d at %d: %v, want %v", op.Kind, op.Offset, done.Err, want)
	}
}

// write is a Write of count bytes of one value.
func writeOf(off, count int64, value byte) Op {
	data := make([]byte, count)
	for i := range data {
		data[i] = value
	}
	return Op{Kind: Write, Offset: off, Data: data}
}

func readOf(off, count int64) Op { return Op{Kind: Read, Offset: off, Data: make([]byte, count)} }

// expect reads count bytes and checks that all are value.
func (c *client) expect(off, count int64, value byte) {
	c.w.t.Helper()
	got := c.must(readOf(off, count)).Data
	for i, b := range got {
		if b != value {
			c.w.t.Fatalf("byte %d is %d, want %d", off+int64(i), b, value)
		}
	}
}

// snapshotAndOn makes a snapshot, so that whatever was written is immutable.
func (c *client) snapshot(name string) {
	c.w.t.Helper()
	c.must(Op{Kind: Snapshot, Other: name, RequestID: [16]byte{1, byte(len(c.w.maps.done))}})
}

// entry returns the map entry of an object.
func (c *client) entry(index int64) mapfmt.Entry { return c.w.maps.byUUID(c.info.UUID).entries[index] }

// until lets events happen until one runs of which f is true.
func (c *client) until(f func() bool) {
	c.w.t.Helper()
	for !f() {
		if !c.w.step() {
			c.w.t.Fatal("nothing more happens")
		}
	}
}
