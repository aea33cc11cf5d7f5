package blockertest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"archipelago/peers/blocker"
)

// testDoneSubmits runs a chain of operations from Done, all with one Op, and counts the calls.
func testDoneSubmits(t *testing.T, f *fixture) {
	const rounds = 200
	var calls atomic.Int32
	end := make(chan struct{})
	op := &blocker.Op{Kind: blocker.Write, Volume: volume, Name: "chain/x", Data: []byte{1}}
	op.Done = func(op *blocker.Op) {
		if op.Err != nil {
			t.Error(op.Err)
		}
		n := calls.Add(1)
		if n == rounds {
			close(end)
			return
		}
		op.Offset = int64(n)
		op.Flags = blocker.Flags(n / 100) // the second half on the slow path
		f.s.Submit(op)
	}
	f.s.Submit(op)
	<-end
	f.must(&blocker.Op{Kind: blocker.Sync})
	if calls.Load() != rounds {
		t.Errorf("Done was called %d times for %d operations", calls.Load(), rounds)
	}
	f.holds("chain/x", bytes.Repeat([]byte{1}, rounds))
}

// testOverlap writes the same blocks from many sides: each block is one writer's.
func testOverlap(t *testing.T, f *fixture) {
	const blocks = 32
	f.write("over/x", 0, make([]byte, blocks*block))
	for range 5 {
		parallel(4, func(i int) {
			data := bytes.Repeat([]byte{byte(i + 1)}, (blocks-i)*block)
			f.write("over/x", int64(i)*block, data)
			f.must(&blocker.Op{Kind: blocker.WriteZeroes, Name: "over/x", Offset: int64(i) * 5 * block, Length: 4 * block})
		})
		data := f.read("over/x", 0, blocks*block)
		for b := range blocks {
			p := data[b*block : (b+1)*block]
			if p[0] > 4 || !bytes.Equal(p, bytes.Repeat(p[:1], block)) {
				t.Fatalf("block %d is mixed", b)
			}
		}
	}
}

// testManyObjects has many objects under way at once, more than a store keeps open.
func testManyObjects(t *testing.T, f *fixture) {
	const objects = 300
	var wg sync.WaitGroup
	ops := make([]blocker.Op, objects)
	submit := func(make func(i int) blocker.Op) {
		for i := range ops {
			wg.Add(1)
			ops[i] = make(i)
			ops[i].Done = func(op *blocker.Op) {
				if op.Err != nil {
					t.Error(op.Err)
				}
				wg.Done()
			}
			f.s.Submit(&ops[i])
		}
		wg.Wait()
	}
	name := func(i int) string { return fmt.Sprintf("many/%d/%d", i%7, i) }
	for round := range 2 {
		submit(func(i int) blocker.Op {
			return blocker.Op{Kind: blocker.Write, Volume: blocker.UUID{byte(i % 3)}, Name: name(i), Data: pattern(uint64(i+round), 5000)}
		})
		submit(func(i int) blocker.Op { return blocker.Op{Kind: blocker.Sync, Volume: blocker.UUID{byte(i % 3)}} })
	}
	submit(func(i int) blocker.Op {
		return blocker.Op{Kind: blocker.Read, Name: name(i), Data: make([]byte, 5000)}
	})
	for i := range ops {
		if !bytes.Equal(ops[i].Data, pattern(uint64(i+1), 5000)) {
			t.Errorf("%s: not what was written", name(i))
		}
	}
}

// testOrder submits operations of different kinds, each after the end of the one before: each sees
// its predecessor's effect.
func testOrder(t *testing.T, f *fixture) {
	parallel(4, func(i int) {
		name := fmt.Sprintf("order/%d", i)
		for n := range 30 {
			data := pattern(uint64(i*100+n), 3000)
			switch n % 5 {
			case 0, 1:
				f.write(name, 0, data)
			case 2:
				f.must(&blocker.Op{Kind: blocker.Replace, Name: name, Data: data})
			case 3:
				f.must(&blocker.Op{Kind: blocker.Delete, Name: name})
				f.must(&blocker.Op{Kind: blocker.Create, Name: name, Data: data})
			case 4:
				f.must(&blocker.Op{Kind: blocker.TruncateTail, Name: name})
				f.must(&blocker.Op{Kind: blocker.Append, Name: name, Data: data})
			}
			if got := f.read(name, 0, 3000); !bytes.Equal(got, data) {
				t.Errorf("%s: after step %d (kind %d) an older content is read", name, n, n%5)
			}
		}
	})
}

// testClose: what was submitted before ends, what comes later is refused.
func testClose(t *testing.T, f *fixture) {
	var ended atomic.Int32
	const n = 50
	ops := make([]blocker.Op, n)
	for i := range ops {
		ops[i] = blocker.Op{Kind: blocker.Write, Name: fmt.Sprintf("close/%d", i), Data: pattern(1, 70000)}
		ops[i].Done = func(op *blocker.Op) {
			if op.Err != nil {
				t.Error(op.Err)
			}
			ended.Add(1)
		}
		f.s.Submit(&ops[i])
	}
	if err := f.s.Close(); err != nil {
		t.Error(err)
	}
	if ended.Load() != n {
		t.Errorf("Close has returned with %d of %d operations ended", ended.Load(), n)
	}
	op := f.do(&blocker.Op{Kind: blocker.Read, Name: "close/1", Data: make([]byte, 1)})
	if !errors.Is(op.Err, blocker.ErrClosed) {
		t.Errorf("after Close: %v", op.Err)
	}
	if err := f.s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}
