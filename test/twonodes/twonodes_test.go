package twonodes

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"archipelago/peers/blocker/memstore"
	"archipelago/peers/mapper"
	"archipelago/peers/vlmcd"
)

const (
	objectSize = 64 << 10
	size       = 4 * objectSize
)

// world is two nodes and a volume.
type world struct {
	t     testing.TB
	nodes [2]*node
	info  mapper.Info
	want  []byte // of the volume, all of it flushed
}

func newWorld(t testing.TB) *world {
	t.Helper()
	s := store{memstore.New(), memstore.New()}
	w := &world{t: t, nodes: [2]*node{newNode(t, s, "node-a", 1), newNode(t, s, "node-b", 2)}, want: make([]byte, size)}
	op := mapper.Op{Kind: mapper.Clone, Name: "v", Size: size, ObjectSize: objectSize}
	if err := mapper.Do(w.nodes[0].mapper, &op); err != nil {
		t.Fatal(err)
	}
	w.info = op.Info
	return w
}

func (w *world) op(kind vlmcd.Kind) *vlmcd.Op {
	return &vlmcd.Op{Kind: kind, Volume: w.info.UUID, Name: []byte("v")}
}

func (w *world) write(off int, data []byte) *vlmcd.Op {
	op := w.op(vlmcd.Write)
	op.Offset, op.Data = int64(off), data
	return op
}

// check reads all of the volume on a node.
func (w *world) check(n *node, what string) {
	w.t.Helper()
	op := w.op(vlmcd.Read)
	op.Data = make([]byte, size)
	n.must(op)
	if !bytes.Equal(op.Data, w.want) {
		at := 0
		for op.Data[at] == w.want[at] {
			at++
		}
		w.t.Fatalf("%s: byte %d is %d, want %d", what, at, op.Data[at], w.want[at])
	}
}

// TestReadWhatOwnerFlushed: the other node sees every flush, through copies on write of snapshots,
// and never keeps what it saw.
func TestReadWhatOwnerFlushed(t *testing.T) {
	w := newWorld(t)
	a, b := w.nodes[0], w.nodes[1]
	rng := rand.New(rand.NewPCG(1, 2))
	a.must(w.op(vlmcd.Acquire))
	for i := range 60 {
		off, n := rng.IntN(size-4096), 1+rng.IntN(4096)
		data := bytes.Repeat([]byte{byte(i + 1)}, n)
		a.must(w.write(off, data))
		copy(w.want[off:], data)
		a.must(w.op(vlmcd.Flush))
		w.check(b, fmt.Sprintf("after flush %d, on the other node", i))
		if i%7 == 3 {
			snap := w.op(vlmcd.Snapshot)
			snap.Other = fmt.Sprintf("s%d", i)
			a.must(snap)
		}
	}
	w.check(a, "on the owner")
}

// TestWriteWaitsForOwner: a write on the other node waits, goes on when the owner closes, and falls
// on what the owner has left; it doesn't hold reads up.
func TestWriteWaitsForOwner(t *testing.T) {
	w := newWorld(t)
	for turn := range 12 {
		owner, other := w.nodes[turn%2], w.nodes[(turn+1)%2]
		owner.must(w.op(vlmcd.Acquire))
		first := bytes.Repeat([]byte{byte(2*turn + 1)}, 3*objectSize/2)
		owner.must(w.write(turn*1000, first))
		copy(w.want[turn*1000:], first)
		owner.must(w.op(vlmcd.Flush))

		second := bytes.Repeat([]byte{byte(2*turn + 2)}, 5000)
		waiting := other.begin(w.write(turn*1500, second))
		w.check(other, "while a write waits")
		select {
		case err := <-waiting:
			t.Fatalf("a write went on under the lock of another node: %v", err)
		default:
		}
		if turn%3 == 0 { // another epoch: nothing that the other node read is its own any more
			snap := w.op(vlmcd.Snapshot)
			snap.Other = fmt.Sprintf("s%d", turn)
			owner.must(snap)
		}
		owner.must(w.op(vlmcd.Close))
		if err := other.await("the write that waited", waiting); err != nil {
			t.Fatal(err)
		}
		copy(w.want[turn*1500:], second)
		w.check(other, "on the new owner")
		other.must(w.op(vlmcd.Flush))
		w.check(owner, "on the former owner")
		other.must(w.op(vlmcd.Release))
	}
}

// TestNoWaiting: who doesn't want to wait is told at once, and so is a change.
func TestNoWaiting(t *testing.T) {
	w := newWorld(t)
	a, b := w.nodes[0], w.nodes[1]
	a.must(w.write(0, []byte("x")))
	op := w.write(0, []byte("y"))
	op.Flags = vlmcd.FlagNoWait
	if err := b.do(op); !errors.Is(err, mapper.ErrAgain) || !strings.Contains(err.Error(), "node-a") {
		t.Errorf("%v", err)
	}
	for _, kind := range []vlmcd.Kind{vlmcd.Acquire, vlmcd.Release} {
		if err := b.do(w.op(kind)); !errors.Is(err, mapper.ErrBusy) || !strings.Contains(err.Error(), "locked by node node-a") {
			t.Errorf("operation %d: %v", kind, err)
		}
	}
	b.must(w.op(vlmcd.Close)) // of what it hasn't open
	force := w.op(vlmcd.Release)
	force.Force = true
	b.must(force)
	b.must(w.op(vlmcd.Acquire))
}

// TestSizeFollows: the other node sees another size once nothing of it is under way there.
func TestSizeFollows(t *testing.T) {
	w := newWorld(t)
	a, b := w.nodes[0], w.nodes[1]
	a.must(w.op(vlmcd.Acquire))
	w.check(b, "before")
	resize := w.op(vlmcd.Resize)
	resize.Size = 2 * size
	a.must(resize)
	read := w.op(vlmcd.Read)
	read.Offset, read.Data = size+100, make([]byte, 100)
	b.must(read)
}
