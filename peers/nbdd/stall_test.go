package nbdd

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"archipelago/internal/nbd"
	"archipelago/internal/nbd/client"
)

var noOptions client.Options

// stalling serves an export with few slots and short patience.
func stalling(t *testing.T, limits Limits, async bool) (*harness, *memExport) {
	e := newExport("disk", 16<<20, 4)
	limits.Stall = 20 * time.Millisecond
	h := start(t, limits, newMemory(e))
	if async {
		w := newWorker(h.srv.BatchEnd)
		e.async.Store(w)
		t.Cleanup(func() { _ = h.stop(); w.stop() })
	}
	return h, e
}

// TestClientThatReadsNothing: it gets what it asked for when it reads at last, and meanwhile all
// slots are there for others.
func TestClientThatReadsNothing(t *testing.T) {
	for _, async := range []bool{false, true} {
		h, e := stalling(t, Limits{}, async)
		rng := rand.New(rand.NewPCG(*seed, 3))
		e.dataMu.Lock()
		fill(rng, e.data)
		e.dataMu.Unlock()
		lazy := h.raw()
		begin(t, lazy, "disk", false)
		const n, size = 12, 1 << 20
		var b []byte
		for i := range n {
			b = nbd.Request{Cookie: uint64(i), Offset: uint64(i) * size, Length: size}.Append(b)
		}
		talk(t, lazy, b, 0)
		eventually(t, "all slots free", func() bool { return e.inUse() == 0 && h.srv.heap.left.Load() < 256<<20-8*size })
		if err := h.dial("disk", noOptions).ReadAt(testContext(t), make([]byte, 8<<20), 0); err != nil {
			t.Fatal(err)
		}
		for range n {
			reply := talk(t, lazy, nil, nbd.SimpleSize+size)
			i := nbd.DecodeHead(reply).Cookie
			if !bytes.Equal(reply[nbd.SimpleSize:], e.data[i*size:][:size]) {
				t.Fatalf("request %d got other bytes", i)
			}
		}
		// And again, on the connection that has recovered.
		talk(t, lazy, nbd.Request{Length: size}.Append(nil), nbd.SimpleSize+size)
		h.srv.each(func(c *conn) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.stalled {
				t.Error("a client that reads again counts as stalled for ever")
			}
		})
	}
}

// TestClientThatStopsInsideAWrite: the same for one that doesn't send.
func TestClientThatStopsInsideAWrite(t *testing.T) {
	h, e := stalling(t, Limits{}, true)
	const size = 1 << 20
	var stopped []net.Conn
	for i := range 8 {
		conn := h.raw()
		begin(t, conn, "disk", false)
		q := nbd.Request{Command: nbd.CmdWrite, Offset: uint64(i) * size, Length: size}
		talk(t, conn, append(q.Append(nil), bytes.Repeat([]byte{byte(i + 1)}, size/3)...), 0)
		stopped = append(stopped, conn)
	}
	eventually(t, "all slots free", func() bool { return e.inUse() == 0 && h.srv.heap.left.Load() == 256<<20-8*size })
	if err := h.dial("disk", noOptions).WriteAt(testContext(t), make([]byte, 4<<20), 8<<20); err != nil {
		t.Fatal(err)
	}
	for i, conn := range stopped {
		reply := talk(t, conn, bytes.Repeat([]byte{byte(i + 1)}, size-size/3), nbd.SimpleSize)
		if head := nbd.DecodeHead(reply); head.Errno != 0 {
			t.Errorf("write %d: %v", i, head.Errno)
		}
		e.dataMu.Lock()
		if !bytes.Equal(e.data[i*size:][:size], bytes.Repeat([]byte{byte(i + 1)}, size)) {
			t.Errorf("write %d is torn", i)
		}
		e.dataMu.Unlock()
	}
}

// TestStalledClientsHaveABudget: beyond it they are dropped, and say so in the log.
func TestStalledClientsHaveABudget(t *testing.T) {
	for _, async := range []bool{false, true} {
		h, e := stalling(t, Limits{HeapBytes: 2 << 20}, async)
		lazy := h.raw()
		begin(t, lazy, "disk", true)
		var b []byte
		for range 16 {
			b = nbd.Request{Length: 1 << 20}.Append(b)
		}
		talk(t, lazy, b, 0)
		eventually(t, "dropped", func() bool { return h.srv.Connections() == 0 && e.inUse() == 0 })
		if !strings.Contains(h.log.String(), "memory for stalled clients is used up") {
			t.Errorf("the log says %s", h.log)
		}
	}
}

func TestLongUnsplitReadsHaveABudget(t *testing.T) {
	h, _ := stalling(t, Limits{HeapBytes: 6 << 20}, true)
	c, ctx := h.dial("disk", client.Options{Simple: true}), testContext(t)
	if err := c.ReadAt(ctx, make([]byte, 8<<20), 0); err == nil || !strings.Contains(err.Error(), "allocate") {
		t.Errorf("got %v", err)
	}
	if err := c.ReadAt(ctx, make([]byte, 5<<20), 0); err != nil {
		t.Error(err)
	}
}

// TestVanishingClients: whatever they were in the middle of, nothing of theirs stays behind.
func TestVanishingClients(t *testing.T) {
	h, e := stalling(t, Limits{}, true)
	rng := rand.New(rand.NewPCG(*seed, 4))
	var wg sync.WaitGroup
	for range 8 {
		rng := rand.New(rand.NewPCG(rng.Uint64(), 5))
		wg.Go(func() {
			for range 10 {
				vanish(t, h, rng)
			}
		})
	}
	wg.Wait()
	eventually(t, "connections gone", func() bool { return h.srv.Connections() == 0 })
	eventually(t, "slots given back", func() bool { return e.inUse() == 0 })
	if err := h.dial("disk", noOptions).ReadAt(testContext(t), make([]byte, 4096), 0); err != nil {
		t.Error(err)
	}
}

// vanish does some valid things and leaves anywhere.
func vanish(t *testing.T, h *harness, rng *rand.Rand) {
	conn, err := net.Dial("unix", h.path)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	b := be.AppendUint32(nil, 3)
	b = nbd.AppendOption(b, nbd.OptStructuredReply, nil)
	b = nbd.AppendOption(b, nbd.OptGo, nbd.AppendInfoRequest(nil, "disk"))
	for range rng.IntN(20) {
		q := nbd.Request{Command: nbd.Command(rng.IntN(2)), Offset: rng.Uint64N(8 << 20), Length: rng.Uint32N(200 << 10)}
		b = q.Append(b)
		if q.Command == nbd.CmdWrite {
			b = append(b, make([]byte, q.Length)...)
		}
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Error(err)
	}
	// It may be cut off anywhere; what comes back is read in part or not at all.
	go func() { _, _ = io.CopyN(io.Discard, conn, rand.Int64N(1<<20)) }()
	_, _ = conn.Write(b[:rng.IntN(len(b)+1)])
}

func TestAThousandClients(t *testing.T) {
	e := newExport("disk", 16<<20, 16)
	h := start(t, Limits{}, newMemory(e))
	w := newWorker(h.srv.BatchEnd)
	e.async.Store(w)
	t.Cleanup(func() { _ = h.stop(); w.stop() })
	const n = 1000
	clients := make([]*client.Client, n)
	for i := range clients {
		clients[i] = h.dial("disk", noOptions)
	}
	ctx := testContext(t)
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			want, got := bytes.Repeat([]byte{byte(i)}, 5000), make([]byte, 5000)
			off := int64(i) * 5000
			if err := c.WriteAt(ctx, want, off); err != nil {
				t.Error(err)
			}
			if err := c.ReadAt(ctx, got, off); err != nil || !bytes.Equal(got, want) {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if got := h.srv.Connections(); got != n {
		t.Errorf("%d connections", got)
	}
}

// TestAClientHasItsShare: what one client may hold is less than what there is, so that another finds
// room; nothing is lost for it.
func TestAClientHasItsShare(t *testing.T) {
	const size = 256 << 10
	e := newExport("disk", 16<<20, 64)
	h := start(t, Limits{ClientBytes: 2 * size}, newMemory(e))
	w := newWorker(h.srv.BatchEnd)
	e.async.Store(w)
	t.Cleanup(func() { _ = h.stop(); w.stop() })
	greedy := h.raw()
	begin(t, greedy, "disk", false)
	w.hold.Lock()
	release := sync.OnceFunc(w.hold.Unlock)
	defer release() // also if the test ends before
	var b []byte
	for i := range 8 {
		b = nbd.Request{Cookie: uint64(i), Offset: uint64(i) * size, Length: size}.Append(b)
	}
	talk(t, greedy, b, 0)
	eventually(t, "the share is used up", func() bool { return e.inUse() == 2 })
	other := h.raw()
	begin(t, other, "disk", false)
	talk(t, other, nbd.Request{Length: size}.Append(nil), 0)
	eventually(t, "the other has room", func() bool { return e.inUse() == 3 })
	release()
	for range 8 {
		talk(t, greedy, nil, nbd.SimpleSize+size)
	}
	// One that is longer than the share is served alone.
	talk(t, greedy, nbd.Request{Length: 4 * size}.Append(nil), nbd.SimpleSize+4*size)
	talk(t, other, nil, nbd.SimpleSize+size)
	// The client may have its answer before the server takes note.
	eventually(t, "nothing is counted for clients that have nothing", func() bool {
		n := int64(0)
		h.srv.each(func(c *conn) { n += c.held.Load() })
		return n == 0
	})
}
