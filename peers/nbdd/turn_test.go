package nbdd

import (
	"bytes"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"archipelago/internal/nbd"
)

// TestLoopServesWhatCannotBlock: such requests never come to the connection's goroutine; all others do.
func TestLoopServesWhatCannotBlock(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name   string
		q      nbd.Request
		onLoop int64
	}{
		{"read", nbd.Request{Length: 4096}, 1},
		{"long read", nbd.Request{Offset: 8 * mib, Length: MaxIO}, 1},
		{"write", nbd.Request{Command: nbd.CmdWrite, Length: 4096}, 1},
		{"durable write", nbd.Request{Command: nbd.CmdWrite, Length: 4096, Flags: nbd.CmdFlagFUA}, 1},
		{"write that comes in pieces", nbd.Request{Command: nbd.CmdWrite, Length: 3 * mib}, 1},
		{"flush", nbd.Request{Command: nbd.CmdFlush}, 1},
		{"trim", nbd.Request{Command: nbd.CmdTrim, Length: 8 * mib}, 1},
		{"zeroes", nbd.Request{Command: nbd.CmdWriteZeroes, Length: 8 * mib}, 1},
		{"zeroes that are written", nbd.Request{Command: nbd.CmdWriteZeroes, Length: mib, Flags: nbd.CmdFlagNoHole}, 0},
		{"read of two pieces", nbd.Request{Offset: 3 * mib, Length: 2 * mib}, 0},
		{"cache", nbd.Request{Command: nbd.CmdCache, Length: mib}, 0},
		{"nothing", nbd.Request{}, 0},
	} {
		e := newExport("disk", 16*mib, 8)
		h := start(t, Limits{}, newMemory(e))
		conn := h.raw()
		begin(t, conn, "disk", false)
		b, answer := c.q.Append(nil), nbd.SimpleSize
		switch c.q.Command {
		case nbd.CmdWrite:
			b = append(b, make([]byte, c.q.Length)...)
		case nbd.CmdRead:
			answer += int(c.q.Length)
		}
		// In two parts, so that the loop has the turn before the first one.
		talk(t, conn, b[:4], 0)
		h.eventuallyLent()
		talk(t, conn, b[4:], answer)
		if n := e.onLoop.Load(); n != c.onLoop {
			t.Errorf("%s: the loop submitted %d IOs, not %d", c.name, n, c.onLoop)
		}
	}
}

// eventuallyLent waits until the loop has the turn to read every connection.
func (h *harness) eventuallyLent() {
	h.t.Helper()
	eventually(h.t, "the loop reads", func() bool {
		lent := true
		h.srv.each(func(c *conn) { lent = lent && c.turn.Load() == turnLoop })
		return lent
	})
}

// TestTurnsChangeAnywhere: requests that the loop serves, ones for the goroutine, and ones that one
// begins and the other ends come in pieces of any size, over connections that have too little of
// everything; each gets its own answer, and what was written is there.
func TestTurnsChangeAnywhere(t *testing.T) {
	e := newExport("disk", 16<<20, 3)
	h := start(t, Limits{Requests: 4, ClientBytes: 6 << 20, Stall: 2 * time.Millisecond}, newMemory(e))
	w := newWorker(h.srv.BatchEnd)
	e.async.Store(w)
	t.Cleanup(func() { _ = h.stop(); w.stop() })
	ended := make(chan string)
	const clients = 3
	for i := range clients {
		conn := h.raw()
		begin(t, conn, "disk", false)
		go func() { ended <- turning(conn, uint64(i)) }()
	}
	for range clients {
		if wrong := <-ended; wrong != "" {
			t.Error(wrong)
		}
	}
}

// turning writes to a part of the disk of its own and reads it back; it returns what is wrong.
func turning(conn net.Conn, part uint64) string {
	rng := rand.New(rand.NewPCG(*seed, part))
	const size = 5 << 20
	base, shadow := part*size, make([]byte, size)
	for range 60 {
		n := 1 + rng.IntN(1<<(1+rng.IntN(21)))
		off := rng.IntN(size - n)
		fill(rng, shadow[off:off+n])
		stream := nbd.Request{Command: nbd.CmdWrite, Cookie: 1, Offset: base + uint64(off), Length: uint32(n)}.Append(nil)
		stream = append(stream, shadow[off:off+n]...)
		if wrong := inPieces(rng, conn, stream, nbd.SimpleSize, nil); wrong != "" {
			return wrong
		}
		n = 1 + rng.IntN(1<<(1+rng.IntN(22)))
		n = min(n, size)
		off = rng.IntN(size - n + 1)
		stream = nbd.Request{Cookie: 2, Offset: base + uint64(off), Length: uint32(n)}.Append(nil)
		if wrong := inPieces(rng, conn, stream, nbd.SimpleSize, shadow[off:off+n]); wrong != "" {
			return wrong
		}
	}
	return ""
}

// inPieces sends a request in pieces and compares the data of the answer.
func inPieces(rng *rand.Rand, conn net.Conn, stream []byte, head int, want []byte) string {
	cookie := be.Uint64(stream[8:])
	for len(stream) > 0 {
		n := min(len(stream), 1+rng.IntN(1<<(1+rng.IntN(20))))
		if _, err := conn.Write(stream[:n]); err != nil {
			return err.Error()
		}
		if stream = stream[n:]; rng.IntN(4) == 0 {
			time.Sleep(time.Duration(rng.IntN(4)) * time.Millisecond) // about as long as the server's patience
		}
	}
	answer := make([]byte, head+len(want))
	for at := 0; at < len(answer); {
		n, err := conn.Read(answer[at:min(len(answer), at+1+rng.IntN(1<<19))])
		if err != nil {
			return err.Error()
		}
		at += n
	}
	h := nbd.DecodeHead(answer)
	switch {
	case h.Errno != 0 || h.Cookie != cookie:
		return "answered with another cookie, or an error"
	case !bytes.Equal(answer[head:], want):
		return "read back other bytes than were written"
	}
	return ""
}

// TestStoppingTakesTheTurnBack: the loop reads nothing more, in whatever it is.
func TestStoppingTakesTheTurnBack(t *testing.T) {
	h := start(t, Limits{}, newMemory(newExport("disk", 1<<20, 8)))
	idle, inside := h.raw(), h.raw()
	for _, conn := range []net.Conn{idle, inside} {
		begin(t, conn, "disk", false)
	}
	h.eventuallyLent()
	q := nbd.Request{Command: nbd.CmdWrite, Length: 1 << 19}
	talk(t, inside, append(q.Append(nil), 1, 2, 3), 0)
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	closed(t, idle)
	closed(t, inside)
}
