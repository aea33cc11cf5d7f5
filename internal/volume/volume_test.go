package volume

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"archipelago/internal/config"
	"archipelago/peers/mapper"
	"archipelago/xseg"
)

func TestManagement(t *testing.T) {
	n := newNode(t)
	c, ctx := n.dial(t, Options{}), testContext(t)
	info, err := c.Create(ctx, "b1", 10<<20, 0)
	if err != nil || info.Name != "b1" || info.Size != 10<<20 || info.ObjectSize != 4<<20 {
		t.Fatalf("create: %+v, %v", info, err)
	}
	// b1 is served by the other thread: the request is sent on to it.
	snap, err := c.Snapshot(ctx, "b1", "snap")
	if err != nil || snap.Name != "snap" || snap.Flags != 1 {
		t.Fatalf("snapshot: %+v, %v", snap, err)
	}
	if clone, err := c.Clone(ctx, "c1", "snap", 0); err != nil || clone.Size != 10<<20 {
		t.Fatalf("clone: %+v, %v", clone, err)
	}
	if got, err := c.Info(ctx, "snap"); err != nil || got != snap {
		t.Errorf("info: %+v, %v", got, err)
	}
	if err := errors.Join(c.CloseVolume(ctx, "b1"), c.Remove(ctx, "b1")); err != nil {
		t.Error(err)
	}
	var names []string
	err = c.List(ctx, func(name string) error { names = append(names, name); return nil })
	if err != nil || !slices.Equal(names, []string{"c1", "snap"}) {
		t.Errorf("list: %q, %v", names, err)
	}
	for id, times := range n.ids {
		if times > 1 && id != (xseg.RequestID{}) {
			t.Errorf("request id %x came %d times", id, times)
		}
	}
}

func TestErrorsAreTheMappers(t *testing.T) {
	n := newNode(t)
	c, ctx := n.dial(t, Options{}), testContext(t)
	v := n.volume(t, c, "a1", 1<<20)
	_, missing := c.Info(ctx, "nosuch")
	_, exists := c.Create(ctx, "a1", 1<<20, 0)
	_, badName := c.Open(ctx, "-x")
	_, badSnap := c.Snapshot(ctx, "a1", "a b")
	_, badSize := c.Create(ctx, "a2", 0, 0)
	_, open := c.Open(ctx, "nosuch")
	for _, e := range []struct {
		err  error
		want error
		text string
	}{
		{missing, mapper.ErrNotFound, "volume nosuch: info"}, {exists, mapper.ErrExists, "volume a1: create"},
		{badName, mapper.ErrName, "-x"}, {badSnap, mapper.ErrName, "a b"}, {badSize, mapper.ErrArgument, "size 0"},
		{open, mapper.ErrNotFound, "volume nosuch: open"},
		{v.ReadAt(ctx, make([]byte, 2), 1<<20-1), mapper.ErrArgument, "volume a1: read"},
		{v.WriteAt(ctx, make([]byte, 2), -1), mapper.ErrArgument, "volume a1: write"},
		{c.Remove(ctx, "nosuch"), mapper.ErrNotFound, "volume nosuch: remove"},
	} {
		if !errors.Is(e.err, e.want) || !strings.Contains(e.err.Error(), e.text) {
			t.Errorf("%v, want %v with %q", e.err, e.want, e.text)
		}
	}
	for errno, want := range map[syscall.Errno]error{
		syscall.EROFS: mapper.ErrReadOnly, syscall.ENOSPC: mapper.ErrNoSpace, syscall.EIO: mapper.ErrIO,
		syscall.EUCLEAN: mapper.ErrCorrupt, syscall.EBUSY: mapper.ErrBusy, syscall.EDOM: syscall.EDOM,
		syscall.EHOSTDOWN: xseg.ErrNotRunning,
	} {
		n.errno.Store(uint32(errno))
		for _, err := range []error{v.WriteAt(ctx, make([]byte, 9<<10), 0), v.Flush(ctx)} {
			if !errors.Is(err, want) {
				t.Errorf("%v becomes %v, want %v", errno, err, want)
			}
		}
	}
}

func TestListPages(t *testing.T) {
	n := newNode(t)
	c, ctx := n.dial(t, Options{}), testContext(t)
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprintf("a%d", i))
		n.volume(t, c, want[i], 512)
	}
	var got []string
	if err := c.List(ctx, func(name string) error { got = append(got, name); return nil }); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	stop := errors.New("enough")
	if err := c.List(ctx, func(string) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestReadWriteAnyLength(t *testing.T) {
	for _, opts := range []Options{{}, {Slots: 1, BufferBytes: 4 << 20}} {
		n := newNode(t)
		c, ctx := n.dial(t, opts), testContext(t)
		v := n.volume(t, c, "b1", 40<<20)
		rng := rand.New(rand.NewPCG(1, 2))
		model := make([]byte, 40<<20)
		for range 20 {
			k := rng.IntN(1 << (1 + rng.IntN(25)))
			off := rng.IntN(len(model) - k)
			part := model[off : off+k]
			var err error
			switch rng.IntN(4) {
			case 0:
				clear(part)
				err = v.WriteZeroes(ctx, int64(off), int64(k))
			case 1:
				clear(part)
				err = v.Discard(ctx, int64(off), int64(k))
			default:
				for i := range part {
					part[i] = byte(i>>8 ^ i + k)
				}
				err = v.WriteAt(ctx, part, int64(off))
			}
			got := make([]byte, k)
			if err := errors.Join(err, v.ReadAt(ctx, got, int64(off))); err != nil || !bytes.Equal(got, part) {
				t.Fatalf("%d bytes at %d: %v", k, off, err)
			}
		}
		got := make([]byte, len(model))
		if err := v.ReadAt(ctx, got, 0); err != nil || !bytes.Equal(got, model) {
			t.Fatalf("the whole volume differs: %v", err)
		}
		if err := v.Flush(ctx); err != nil || n.flushes.Load() != 1 {
			t.Errorf("%d flushes, %v", n.flushes.Load(), err)
		}
	}
}

// TestAContextEndsACall: the call returns, and what it left running is put back when it ends.
func TestAContextEndsACall(t *testing.T) {
	n := newNode(t)
	c := n.dial(t, Options{Slots: 4, BufferBytes: 16 << 20})
	v := n.volume(t, c, "a1", 32<<20)
	n.hold.Store(true)
	ctx, cancel := context.WithCancel(testContext(t))
	done := make(chan error)
	go func() { done <- v.ReadAt(ctx, make([]byte, 32<<20), 0) }()
	held := []*xseg.Request{<-n.held, <-n.held, <-n.held, <-n.held}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	n.hold.Store(false)
	for _, r := range held {
		r.Respond(0, 0)
	}
	// All four slots are there again.
	if err := v.ReadAt(testContext(t), make([]byte, 32<<20), 0); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsCalls(t *testing.T) {
	n := newNode(t)
	c, err := Dial(testContext(t), n.config(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := n.volume(t, c, "a1", 1<<20)
	n.hold.Store(true)
	done := make(chan error)
	go func() { done <- v.ReadAt(testContext(t), make([]byte, 4096), 0) }()
	r := <-n.held
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, xseg.ErrClosed) {
		t.Errorf("got %v", err)
	}
	r.Respond(0, 0)
}

// TestPreparedIO is what an endpoint does: without waiting, without copying, told about room.
func TestPreparedIO(t *testing.T) {
	n := newNode(t)
	c := n.dial(t, Options{Slots: 2, BufferBytes: 8 << 20})
	v := n.volume(t, c, "b1", 8<<20)
	room := make(chan struct{}, 1)
	v.OnRoom(func() {
		select {
		case room <- struct{}{}:
		default:
		}
	})
	first, second := v.Prepare(xseg.OpWrite, xseg.ReqFUA, 4096, 5000), v.Prepare(xseg.OpFlush, 0, 0, 0)
	if first == nil || second == nil || v.Prepare(xseg.OpRead, 0, 0, 512) != nil {
		t.Fatal("there are two slots")
	}
	if len(first.Data()) != 5000 || len(second.Data()) != 0 {
		t.Errorf("buffers of %d and %d bytes", len(first.Data()), len(second.Data()))
	}
	copy(first.Data(), "hello")
	done := make(chan struct{})
	first.Submit(func() { close(done) })
	<-done
	if first.Errno() != 0 || n.fuas.Load() != 1 {
		t.Errorf("%v, %d FUA", first.Errno(), n.fuas.Load())
	}
	first.Put()
	<-room
	second.Put() // instead of Submit
	got := make([]byte, 5)
	if err := v.ReadAt(testContext(t), got, 4096); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if n.flushes.Load() != 0 {
		t.Error("an IO that was put back was sent")
	}
}

// TestPreparedIOAllocatesNothing on this side of the channel.
func TestPreparedIOAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	n := newNode(t)
	v := n.volume(t, n.dial(t, Options{}), "a1", 1<<20)
	done := make(chan struct{}, 1)
	signal := func() { done <- struct{}{} }
	got := testing.AllocsPerRun(500, func() {
		io := v.Prepare(xseg.OpRead, 0, 0, 4096)
		io.Submit(signal)
		<-done
		io.Put()
	})
	if got > 1 { // the fake node makes a string of the name
		t.Errorf("%v allocations", got)
	}
}

func TestManyGoroutines(t *testing.T) {
	n := newNode(t)
	c, ctx := n.dial(t, Options{Slots: 8}), testContext(t)
	n.volume(t, c, "a1", 1<<20)
	n.volume(t, c, "b1", 1<<20)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			v, err := c.Open(ctx, []string{"a1", "b1"}[w%2])
			if err != nil {
				t.Error(err)
				return
			}
			want, got := bytes.Repeat([]byte{byte(w + 1)}, 30000), make([]byte, 30000)
			for range 20 {
				err := errors.Join(v.WriteAt(ctx, want, int64(w)*30000), v.ReadAt(ctx, got, int64(w)*30000))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("worker %d: %v", w, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestNoNode(t *testing.T) {
	cfg := &config.Config{SegmentName: "archip-test-nosuch"}
	if _, err := Dial(testContext(t), cfg, Options{}); !errors.Is(err, xseg.ErrNoSegment) {
		t.Errorf("without a segment: %v", err)
	}
	n := newNode(t)
	cfg = n.config()
	cfg.Roles = cfg.Roles[:1]
	if _, err := Dial(testContext(t), cfg, Options{}); !errors.Is(err, xseg.ErrNotRunning) {
		t.Errorf("without vlmcd in the configuration: %v", err)
	}
}

func FuzzEachName(f *testing.F) {
	f.Add([]byte{1, 0, 'a', 2, 0, 'b', 'c'}, "")
	f.Add([]byte{255, 255, 'a'}, "a")
	f.Fuzz(func(t *testing.T, page []byte, after string) {
		prev := after
		last, err := eachName(page, after, func(name string) error {
			if name <= prev {
				t.Errorf("%q after %q", name, prev)
			}
			prev = name
			return nil
		})
		if last != prev || err != nil && !errors.Is(err, ErrReply) {
			t.Errorf("last %q, seen %q, %v", last, prev, err)
		}
	})
}
