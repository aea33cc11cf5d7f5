package remote_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/blockertest"
	"archipelago/peers/blocker/faultstore"
	"archipelago/peers/blocker/memstore"
	"archipelago/peers/blocker/remote"
	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

const serverPort, clientPort = 1000, 500

// pair is a store, and its client at the other end of a channel.
type pair struct {
	*testing.T
	store  blocker.Store
	client *xsegtest.Peer
	port   *xseg.Port
	ch     *xseg.Channel
}

func connect(t *testing.T, store blocker.Store, opts xseg.ChannelOptions) *pair {
	node := xsegtest.New(t)
	server := node.Peer(t)
	server.Bind(serverPort, xseg.BindOptions{Role: "blockerb", Handler: remote.Serve(store)})
	server.Run()
	p := &pair{T: t, store: store, client: node.Peer(t)}
	p.port = p.client.Bind(clientPort, xseg.BindOptions{Role: "vlmcd"})
	p.client.Run()
	p.ch = p.client.Connect(p.port, serverPort, opts)
	return p
}

var roomy = xseg.ChannelOptions{Slots: 64, BufferBytes: 32 << 20}

// far is a memstore at the other end of a channel.
type far struct {
	blocker.Store
	near *memstore.Store
}

func newFar(t *testing.T) far {
	near := memstore.New()
	return far{remote.New(connect(t, near, roomy).ch), near}
}

func (f far) FailSync(fail func(name string) error) { f.near.FailSync(fail) }

func (f far) Worst() blocker.Store { return f.near.PowerCut(func(int) int { return 0 }) }

func (f far) Fill() error {
	err := blocker.Do(f, &blocker.Op{Kind: blocker.Write, Name: "fill"})
	f.near.SetFull(true)
	return err
}

// TestConformanceTrouble: failing syncs, power cuts and a full disk look the same through a
// channel.
func TestConformanceTrouble(t *testing.T) {
	blockertest.RunSyncFailure(t, func(t *testing.T) blockertest.Faulty { return newFar(t) })
	blockertest.RunPowerCut(t, func(t *testing.T) blockertest.Crashable { return newFar(t) })
	blockertest.RunFull(t, func(t *testing.T) blockertest.Limited { return newFar(t) })
}

// onLoop submits on the loop, as a client with the option OnLoop must.
type onLoop struct {
	blocker.Store
	loop *xseg.Loop
}

func (s onLoop) Submit(op *blocker.Op) { s.loop.Post(func() { s.Store.Submit(op) }) }

// Close waits for what was posted.
func (s onLoop) Close() error {
	posted := make(chan struct{})
	s.loop.Post(func() { close(posted) })
	<-posted
	return s.Store.Close()
}

func TestConformance(t *testing.T) {
	blockertest.Run(t, func(t *testing.T) blocker.Store {
		return remote.New(connect(t, memstore.New(), roomy).ch)
	})
}

// TestConformanceCramped has fewer slots and buffers than operations, and submits on the loop.
func TestConformanceCramped(t *testing.T) {
	blockertest.Run(t, func(t *testing.T) blocker.Store {
		p := connect(t, memstore.New(), xseg.ChannelOptions{Slots: 2, BufferBytes: 6 << 20})
		return onLoop{remote.New(p.ch, remote.OnLoop()), p.client.Loop}
	})
}

// slow ends every operation on a goroutine of its own.
type slow struct{ blocker.Store }

func (s slow) Submit(op *blocker.Op) {
	go s.Store.Submit(op)
}

func TestConformanceSlow(t *testing.T) {
	blockertest.Run(t, func(t *testing.T) blocker.Store {
		return remote.New(connect(t, slow{memstore.New()}, roomy).ch)
	})
}

func (p *pair) do(s blocker.Store, op *blocker.Op) *blocker.Op {
	_ = blocker.Do(s, op)
	return op
}

// TestErrors: what the store fails with comes back as the same error, or the same errno.
func TestErrors(t *testing.T) {
	faults := faultstore.Wrap(memstore.New())
	s := remote.New(connect(t, faults, roomy).ch)
	for _, c := range []struct{ from, want error }{
		{blocker.ErrNotFound, blocker.ErrNotFound},
		{blocker.ErrExists, blocker.ErrExists},
		{blocker.ErrConflict, blocker.ErrConflict},
		{blocker.ErrNoSpace, blocker.ErrNoSpace},
		{blocker.ErrArgument, blocker.ErrArgument},
		{blocker.ErrClosed, blocker.ErrClosed},
		{blocker.ErrFenced, blocker.ErrFenced},
		{blocker.ErrBad, syscall.EIO},
		{syscall.ENOSPC, blocker.ErrNoSpace},
		{syscall.EDQUOT, syscall.EDQUOT},
		{syscall.ETIMEDOUT, syscall.ETIMEDOUT},
		{errors.New("odd"), syscall.EIO},
	} {
		faults.Clear()
		faults.Inject(faultstore.Rule{Err: c.from})
		err := blocker.Do(s, &blocker.Op{Kind: blocker.Write, Name: "some/object", Data: []byte{1}})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), "some/object") {
			t.Errorf("%v came back as %v", c.from, err)
		}
	}
}

// TestFields: everything of an operation that a store looks at arrives.
func TestFields(t *testing.T) {
	faults := faultstore.Wrap(memstore.New())
	var got blocker.Op
	faults.Before(func(_ int, op *blocker.Op) error {
		got = *op
		got.Name, got.Source, got.After = strings.Clone(op.Name), strings.Clone(op.Source), strings.Clone(op.After)
		got.Data = bytes.Clone(op.Data)
		return nil
	})
	s := remote.New(connect(t, faults, roomy).ch)
	for _, op := range []blocker.Op{
		{Kind: blocker.Write, Name: "a", Offset: 5, Data: []byte{1, 2}, Flags: blocker.FlagFUA, Term: 7},
		{Kind: blocker.Copy, Name: "b", Source: "a", Offset: 3, SourceOffset: 4, Length: 5},
		{Kind: blocker.Copy, Name: "b", Source: strings.Repeat("n", blocker.NameMax), Length: 5},
		{Kind: blocker.WriteZeroes, Name: "a", Offset: 6, Length: 1 << 20},
		{Kind: blocker.Fill, Name: "a", Offset: 1 << 29, Data: []byte{1}, Source: strings.Repeat("x", blocker.NameMax),
			SourceOffset: 5, Length: 1<<30 - 5},
		{Kind: blocker.List, Name: "p/", After: "p/" + strings.Repeat("x", blocker.NameMax-2), Data: make([]byte, 500)},
		{Kind: blocker.LockAdvance, Name: "l/x", Generation: 1 << 40, Data: []byte("me")},
		{Kind: blocker.Sync},
		{Kind: blocker.TruncateTail, Name: "a", Offset: 1},
	} {
		op.Volume = blocker.UUID{1, 2, 15: 16}
		want := op
		_ = blocker.Do(s, &op)
		if got.Kind != want.Kind || got.Name != want.Name || got.Offset != want.Offset ||
			got.Flags != want.Flags || got.Term != want.Term || got.Volume != want.Volume ||
			got.Length != want.Length || got.Source != want.Source || got.SourceOffset != want.SourceOffset ||
			got.After != want.After || len(got.Data) != len(want.Data) || got.Generation != want.Generation {
			t.Errorf("sent %+v\n got %+v", want, got)
		}
	}
}

// TestZeroCopy: data in the segment isn't copied, so that the channel needs no buffers.
func TestZeroCopy(t *testing.T) {
	p := connect(t, memstore.New(), xseg.ChannelOptions{Slots: 8})
	lend := p.client.Connect(p.port, serverPort, roomy)
	s := remote.New(p.ch, remote.InSegment(p.client.Segment))
	call := lend.Get(8192)
	defer call.Put()
	buf := call.Data()
	copy(buf, bytes.Repeat([]byte{7}, 8192))
	if op := p.do(s, &blocker.Op{Kind: blocker.Write, Name: "x", Data: buf}); op.Err != nil {
		t.Fatal(op.Err)
	}
	clear(buf)
	if op := p.do(s, &blocker.Op{Kind: blocker.Read, Name: "x", Offset: 4096, Data: buf}); op.Err != nil {
		t.Fatal(op.Err)
	}
	if !bytes.Equal(buf[:4096], bytes.Repeat([]byte{7}, 4096)) || !bytes.Equal(buf[4096:], make([]byte, 4096)) {
		t.Error("the buffer doesn't hold what was read")
	}
}

// TestFIFO: operations that find no room go out in the order in which they came.
func TestFIFO(t *testing.T) {
	faults := faultstore.Wrap(memstore.New())
	var mu sync.Mutex
	var order []int64
	faults.Before(func(_ int, op *blocker.Op) error {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, op.Offset)
		return nil
	})
	p := connect(t, faults, xseg.ChannelOptions{Slots: 2, BufferBytes: 4 << 20})
	s := remote.New(p.ch)
	const n = 500
	ops := make([]blocker.Op, n)
	var wg sync.WaitGroup
	for i := range ops {
		wg.Add(1)
		ops[i] = blocker.Op{Kind: blocker.Write, Name: "x", Offset: int64(i), Data: []byte{1}, Done: func(*blocker.Op) { wg.Done() }}
		s.Submit(&ops[i])
	}
	wg.Wait()
	for i, got := range order {
		if got != int64(i) {
			t.Fatalf("number %d went out as number %d", got, i)
		}
	}
}

// TestNoOvertaking: an operation that finds room doesn't overtake those that wait for it.
func TestNoOvertaking(t *testing.T) {
	faults := faultstore.Wrap(memstore.New())
	var order []string
	faults.Before(func(_ int, op *blocker.Op) error {
		order = append(order, strings.Clone(op.Name))
		return nil
	})
	p := connect(t, faults, xseg.ChannelOptions{Slots: 1})
	s := remote.New(p.ch, remote.OnLoop())
	var wg sync.WaitGroup
	wg.Add(3)
	stat := func(name string, then func()) {
		s.Submit(&blocker.Op{Kind: blocker.Stat, Name: name, Done: func(*blocker.Op) {
			then()
			wg.Done()
		}})
	}
	p.client.Loop.Post(func() {
		stat("first", func() { stat("third", func() {}) }) // its slot is free then, but promised
		stat("second", func() {})
	})
	wg.Wait()
	if got := strings.Join(order, " "); got != "first second third" {
		t.Errorf("sent in the order %q", got)
	}
}

// TestTooLarge: more data than a request carries is refused, and nothing is done.
func TestTooLarge(t *testing.T) {
	store := memstore.New()
	s := remote.New(connect(t, store, roomy).ch)
	for _, kind := range []blocker.Kind{blocker.Read, blocker.Write, blocker.List} {
		err := blocker.Do(s, &blocker.Op{Kind: kind, Name: "x", Data: make([]byte, xseg.MaxData+1)})
		if !errors.Is(err, blocker.ErrArgument) {
			t.Errorf("kind %d with too much data: %v", kind, err)
		}
	}
}

// TestHostileRequests sends what the client never would.
func TestHostileRequests(t *testing.T) {
	p := connect(t, memstore.New(), roomy)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	send := func(set func(k *xseg.Call)) syscall.Errno {
		t.Helper()
		k, err := p.ch.GetWait(ctx, 4096)
		if err != nil {
			t.Fatal(err)
		}
		defer k.Put()
		k.SetTarget("x")
		set(k)
		if err := k.Do(ctx); err != nil {
			t.Fatal(err)
		}
		return k.Errno()
	}
	for name, set := range map[string]func(*xseg.Call){
		"unknown operation":  func(k *xseg.Call) { k.Op = 63 },
		"far operation":      func(k *xseg.Call) { k.Op = 1 << 31 },
		"mapper's operation": func(k *xseg.Call) { k.Op = xseg.OpMapr },
		"size beyond data":   func(k *xseg.Call) { k.Op, k.Size = xseg.OpWrite, 4097 },
		"endless size":       func(k *xseg.Call) { k.Op, k.Size = xseg.OpRead, ^uint64(0) },
		"negative offset":    func(k *xseg.Call) { k.Op, k.Size, k.Offset = xseg.OpWrite, 1, 1<<63 },
		"endless zeroes":     func(k *xseg.Call) { k.Op, k.Size = xseg.OpWriteZeroes, ^uint64(0) },
		"copy of nothing":    func(k *xseg.Call) { k.Op, k.Size = xseg.OpCopy, 1 },
		"copy, endless name": func(k *xseg.Call) {
			k.Op, k.Size = xseg.OpCopy, 1
			clear(k.Payload())
			copy(k.Payload()[8:], []byte{255, 255, 255, 255})
			k.SetPayloadLen(208)
		},
		"bad name": func(k *xseg.Call) { k.Op = xseg.OpStat; k.SetTarget("../x") },
		"no name":  func(k *xseg.Call) { k.Op = xseg.OpStat; k.SetTarget("") },
	} {
		if n := send(set); n != syscall.EINVAL {
			t.Errorf("%s: %v", name, n)
		}
	}
	if n := send(func(k *xseg.Call) { k.Op, k.Size = xseg.OpWrite, 100 }); n != 0 {
		t.Errorf("a good one afterwards: %v", n)
	}
}

// TestNoAllocation: neither side allocates for a read or write.
func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := remote.New(connect(t, instant{}, roomy).ch)
	done := make(chan struct{}, 1)
	op := &blocker.Op{Kind: blocker.Write, Name: "some/object", Data: make([]byte, 4096),
		Done: func(*blocker.Op) { done <- struct{}{} }}
	n := testing.AllocsPerRun(2000, func() {
		s.Submit(op)
		<-done
	})
	if n >= 1 {
		t.Errorf("%.1f allocations per operation", n)
	}
}

// instant is a store that has done everything already.
type instant struct{}

func (instant) Submit(op *blocker.Op) {
	op.N = int64(len(op.Data))
	op.Done(op)
}

func (instant) Close() error { return nil }
