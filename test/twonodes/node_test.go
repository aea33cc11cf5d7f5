package twonodes

import (
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/memstore"
	"archipelago/peers/mapper"
	"archipelago/peers/mapperd"
	"archipelago/peers/vlmcd"
)

// node is a composer with its thread, and a mapper.
type node struct {
	t        testing.TB
	mapper   *mapperd.Engine
	composer *vlmcd.Engine
	work     chan func() // for the composer's thread
}

// store is what two nodes share.
type store struct{ maps, blocks *memstore.Store }

func newNode(t testing.TB, s store, name string, machine byte) *node {
	t.Helper()
	m, err := mapperd.New(mapperd.Config{
		Maps: s.maps, Blocks: s.blocks, PendingDir: t.TempDir(), Node: name, BootID: [16]byte{machine},
		MachineID: [16]byte{machine}, Nodes: mapfmt.NodesShared, FlushAfter: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, mapper: m, work: make(chan func(), 1024)}
	n.composer = vlmcd.New(vlmcd.Config{
		Mapper: mapperPort{n}, Blocks: storePort{n, s.blocks},
		After: func(d time.Duration, f func()) { time.AfterFunc(d, func() { n.work <- f }) },
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for f := range n.work {
			if f == nil {
				return
			}
			f()
		}
	}()
	t.Cleanup(func() {
		n.work <- nil
		<-ended
		_ = m.Close()
	})
	return n
}

// storePort calls back on the composer's thread, as a channel does.
type storePort struct {
	n      *node
	blocks *memstore.Store
}

func (s storePort) Close() error { return nil }

func (s storePort) Submit(op *blocker.Op) {
	done := op.Done
	op.Done = func(op *blocker.Op) {
		op.Done = done
		s.n.work <- func() { done(op) }
	}
	go s.blocks.Submit(op) // another process does it
}

type mapperPort struct{ n *node }

func (m mapperPort) Submit(op *mapper.Op) {
	done := op.Done
	op.Done = func(op *mapper.Op) {
		op.Done = done
		m.n.work <- func() { done(op) }
	}
	go m.n.mapper.Submit(op)
}

// begin submits an operation; the channel gets its end.
func (n *node) begin(op *vlmcd.Op) <-chan error {
	ended := make(chan error, 1)
	op.Done = func(op *vlmcd.Op) { ended <- op.Err }
	n.work <- func() { n.composer.Submit(op) }
	return ended
}

// patience is how long anything may take: never a measure.
const patience = 20 * time.Second

func (n *node) await(what string, ended <-chan error) error {
	n.t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		n.t.Fatalf("%s: nothing after %v", what, patience)
		return nil
	}
}

func (n *node) do(op *vlmcd.Op) error {
	n.t.Helper()
	return n.await("an operation", n.begin(op))
}

func (n *node) must(op *vlmcd.Op) {
	n.t.Helper()
	if err := n.do(op); err != nil {
		n.t.Fatal(err)
	}
}
