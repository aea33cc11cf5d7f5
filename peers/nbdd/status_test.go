package nbdd

import (
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"archipelago/internal/nbd"
	"archipelago/internal/nbd/client"
)

// patched makes an export with data here and there.
func patched(rng *rand.Rand) *memExport {
	e := newExport("disk", 1<<20, 32)
	for range 20 {
		off := rng.IntN(len(e.data) - 30000)
		fill(rng, e.data[off:][:1+rng.IntN(30000)])
	}
	return e
}

// TestBlockStatus walks an export by extents and compares with what it holds.
func TestBlockStatus(t *testing.T) {
	e := patched(rand.New(rand.NewPCG(*seed, 9)))
	h := start(t, Limits{}, newMemory(e))
	c, ctx := h.dial("disk", noOptions), testContext(t)
	for off, last := uint64(0), uint32(9); off < e.info.Size; {
		xs, err := c.BlockStatus(ctx, int64(off), int64(e.info.Size-off))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range xs {
			if x.State == last {
				t.Errorf("two extents with state %d touch at %d", last, off)
			}
			last = x.State
			zero := strings.Trim(string(e.data[off:][:x.Length]), "\x00") == ""
			if zero != (x.State == nbd.StateHole|nbd.StateZero) || !zero && x.State != 0 {
				t.Errorf("%d bytes at %d: state %d, zeros %v", x.Length, off, x.State, zero)
			}
			off += uint64(x.Length)
		}
	}
}

// contexts selects both contexts on a raw connection with structured replies and begins
// transmission.
func contexts(t *testing.T, h *harness) (status func(flags uint16, off uint64, n uint32) [2][]client.Extent) {
	conn := h.raw()
	greet(t, conn, uint32(nbd.FlagFixedNewstyle|nbd.FlagNoZeroes))
	if r, _ := option(t, conn, nbd.OptStructuredReply, nil); r != nbd.RepAck {
		t.Fatal("structured replies refused")
	}
	r, datas := option(t, conn, nbd.OptSetMetaContext,
		nbd.AppendMetaRequest(nil, "disk", nbd.ContextDepth, nbd.ContextAllocation, "no:such"))
	if r != nbd.RepAck || len(datas) != 3 {
		t.Fatalf("%d contexts, reply %#x", len(datas)-1, uint32(r))
	}
	if r, _ := option(t, conn, nbd.OptGo, nbd.AppendInfoRequest(nil, "disk")); r != nbd.RepAck {
		t.Fatal("export refused")
	}
	return func(flags uint16, off uint64, n uint32) (lists [2][]client.Extent) {
		send := nbd.Request{Flags: flags, Command: nbd.CmdBlockStatus, Offset: off, Length: n}.Append(nil)
		for done := false; !done; {
			head := nbd.DecodeHead(talk(t, conn, send, nbd.StructuredSize))
			send, done = nil, head.Flags&nbd.ReplyFlagDone != 0
			b := talk(t, conn, nil, int(head.Length))
			if head.Type != nbd.ChunkStatus {
				t.Fatalf("chunk %d", head.Type)
			}
			id := be.Uint32(b)
			for b = b[4:]; len(b) > 0; b = b[nbd.ExtentSize:] {
				lists[id-1] = append(lists[id-1], client.Extent{Length: be.Uint32(b), State: be.Uint32(b[4:])})
			}
		}
		return lists
	}
}

func TestTwoContexts(t *testing.T) {
	e := newExport("disk", 1<<20, 32)
	e.data[8192], e.data[12288], e.data[16384] = 2, 3, 2
	status := contexts(t, start(t, Limits{}, newMemory(e)))
	got := status(0, 0, 1<<20)
	data, depth := got[0], got[1]
	if len(data) != 3 || data[1] != (client.Extent{Length: 12288}) || len(depth) != 5 || depth[2] != (client.Extent{Length: 4096, State: 2}) {
		t.Errorf("allocation %v, depth %v", data, depth)
	}
	got = status(nbd.CmdFlagReqOne, 8192, 1<<19)
	if len(got[0]) != 1 || got[0][0].Length != 12288 || len(got[1]) != 1 || got[1][0].Length != 4096 {
		t.Errorf("one extent each: %v", got)
	}
}

// TestManyExtents: the reply is cut off, and the client goes on.
func TestManyExtents(t *testing.T) {
	e := newExport("disk", 3*maxExtents*4096, 32)
	for i := 0; i < len(e.data); i += 8192 {
		e.data[i] = 1
	}
	h := start(t, Limits{}, newMemory(e))
	xs, err := h.dial("disk", noOptions).BlockStatus(testContext(t), 0, int64(len(e.data)))
	if err != nil || len(xs) != maxExtents || xs[maxExtents-1].Length != 4096 {
		t.Errorf("%d extents, %v", len(xs), err)
	}
}

// TestUnreadableMap: everything is reported as data, and the log says so once.
func TestUnreadableMap(t *testing.T) {
	e := newExport("disk", 1<<20, 32)
	h := start(t, Limits{}, newMemory(e))
	c := h.dial("disk", noOptions)
	e.fail.Store(int32(syscall.EIO))
	for range 3 {
		xs, err := c.BlockStatus(testContext(t), 4096, 8192)
		if err != nil || len(xs) != 1 || xs[0] != (client.Extent{Length: 8192}) {
			t.Fatalf("%v, %v", xs, err)
		}
	}
	if n := strings.Count(h.log.String(), "map can't be read"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}
