package nbdd

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"archipelago/internal/nbd"
)

var be = binary.BigEndian

// talk sends b and returns the next n bytes of the answer.
func talk(t testing.TB, conn net.Conn, b []byte, n int) []byte {
	t.Helper()
	if len(b) > 0 { // also an empty write fails where the server has closed
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, n)
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatalf("wait for %d bytes: %v", n, err)
	}
	return got
}

// greet takes the greeting and sets client flags.
func greet(t testing.TB, conn net.Conn, flags uint32) {
	t.Helper()
	b := talk(t, conn, nil, nbd.GreetingSize)
	if flags, err := nbd.DecodeGreeting(b); err != nil || flags != nbd.FlagFixedNewstyle|nbd.FlagNoZeroes {
		t.Fatalf("greeting with flags %#x: %v", flags, err)
	}
	talk(t, conn, be.AppendUint32(nil, flags), 0)
}

// option sends an option and returns all replies up to the last one.
func option(t testing.TB, conn net.Conn, opt nbd.Option, data []byte) (last nbd.Reply, datas [][]byte) {
	t.Helper()
	send := nbd.AppendOption(nil, opt, data)
	for {
		_, typ, n, err := nbd.DecodeOptReply(talk(t, conn, send, nbd.OptReplySize))
		if err != nil {
			t.Fatal(err)
		}
		send = nil
		datas = append(datas, talk(t, conn, nil, int(n)))
		if typ == nbd.RepAck || typ.IsError() {
			return typ, datas
		}
	}
}

// begin goes straight into transmission with simple or structured replies.
func begin(t testing.TB, conn net.Conn, export string, structured bool) {
	t.Helper()
	greet(t, conn, uint32(nbd.FlagFixedNewstyle|nbd.FlagNoZeroes))
	if structured {
		if r, _ := option(t, conn, nbd.OptStructuredReply, nil); r != nbd.RepAck {
			t.Fatalf("structured replies refused: %#x", uint32(r))
		}
	}
	if r, _ := option(t, conn, nbd.OptGo, nbd.AppendInfoRequest(nil, export)); r != nbd.RepAck {
		t.Fatalf("export refused: %#x", uint32(r))
	}
}

// closed checks that the server closes the connection without another byte.
func closed(t testing.TB, conn net.Conn) {
	t.Helper()
	n, err := conn.Read(make([]byte, 1))
	if n != 0 || err == nil || strings.Contains(err.Error(), "timeout") {
		t.Fatalf("the connection goes on: %d bytes, %v", n, err)
	}
}

func TestExportName(t *testing.T) {
	h := start(t, Limits{}, newMemory(newExport("disk", 4096, 4)))
	for flags, size := range map[uint32]int{1: 134, 3: 10, 0: 134} {
		conn := h.raw()
		greet(t, conn, flags)
		got := nbd.DecodeExportReply(talk(t, conn, nbd.AppendOption(nil, nbd.OptExportName, []byte("disk")), size))
		if got.Size != 4096 || got.Flags&nbd.FlagHasFlags == 0 || got.Flags&nbd.FlagSendDF != 0 {
			t.Errorf("client flags %d: %+v", flags, got)
		}
		reply := talk(t, conn, nbd.Request{Cookie: 77, Length: 16}.Append(nil), nbd.SimpleSize+16)
		if head := nbd.DecodeHead(reply); head.Structured || head.Cookie != 77 || head.Errno != 0 {
			t.Errorf("client flags %d: %+v", flags, head)
		}
	}
	conn := h.raw()
	greet(t, conn, 3)
	talk(t, conn, nbd.AppendOption(nil, nbd.OptExportName, []byte("nosuch")), 0)
	closed(t, conn)
}

func TestOptionsAreAnswered(t *testing.T) {
	h := start(t, Limits{}, newMemory(newExport("disk", 4096, 4)))
	conn := h.raw()
	greet(t, conn, 3)
	meta := nbd.AppendMetaRequest(nil, "disk", nbd.ContextAllocation)
	for _, c := range []struct {
		name string
		opt  nbd.Option
		data []byte
		want nbd.Reply
		n    int // replies
	}{
		{"TLS", nbd.OptStartTLS, nil, nbd.RepErrPolicy, 1},
		{"unknown option", 77, []byte("x"), nbd.RepErrUnsup, 1},
		{"withdrawn option", 4, []byte("x"), nbd.RepErrUnsup, 1},
		{"list with data", nbd.OptList, []byte("x"), nbd.RepErrInvalid, 1},
		{"list", nbd.OptList, nil, nbd.RepAck, 2},
		{"meta before structured", nbd.OptSetMetaContext, meta, nbd.RepErrInvalid, 1},
		{"structured with data", nbd.OptStructuredReply, []byte("x"), nbd.RepErrInvalid, 1},
		{"structured", nbd.OptStructuredReply, nil, nbd.RepAck, 1},
		{"meta", nbd.OptSetMetaContext, meta, nbd.RepAck, 2},
		{"torn meta", nbd.OptSetMetaContext, meta[:len(meta)-1], nbd.RepErrInvalid, 1},
		{"no meta", nbd.OptSetMetaContext, nbd.AppendMetaRequest(nil, "disk"), nbd.RepAck, 1},
		{"set with a wildcard", nbd.OptSetMetaContext, nbd.AppendMetaRequest(nil, "disk", "base:"), nbd.RepAck, 1},
		{"foreign meta", nbd.OptSetMetaContext, nbd.AppendMetaRequest(nil, "disk", "qemu:x", ""), nbd.RepAck, 1},
		{"list all meta", nbd.OptListMetaContext, nbd.AppendMetaRequest(nil, "disk"), nbd.RepAck, 3},
		{"meta of nothing", nbd.OptListMetaContext, nbd.AppendMetaRequest(nil, "nosuch"), nbd.RepErrUnknown, 1},
		{"list a name space", nbd.OptListMetaContext, nbd.AppendMetaRequest(nil, "disk", "base:"), nbd.RepAck, 2},
		{"info of nothing", nbd.OptInfo, nbd.AppendInfoRequest(nil, "nosuch"), nbd.RepErrUnknown, 1},
		{"default export", nbd.OptInfo, nbd.AppendInfoRequest(nil, ""), nbd.RepErrUnknown, 1},
		{"torn info", nbd.OptInfo, []byte{0, 0, 0, 9, 'd'}, nbd.RepErrInvalid, 1},
		{"long name", nbd.OptInfo, nbd.AppendInfoRequest(nil, strings.Repeat("x", 5000)), nbd.RepErrInvalid, 1},
		{"info", nbd.OptInfo, nbd.AppendInfoRequest(nil, "disk"), nbd.RepAck, 3},
		{"info with name", nbd.OptInfo, nbd.AppendInfoRequest(nil, "disk", nbd.InfoName, 99), nbd.RepAck, 4},
		{"abort", nbd.OptAbort, []byte("ignored"), nbd.RepAck, 1},
	} {
		if last, datas := option(t, conn, c.opt, c.data); last != c.want || len(datas) != c.n {
			t.Errorf("%s: reply %#x after %d, want %#x after %d", c.name, uint32(last), len(datas), uint32(c.want), c.n)
		}
	}
	closed(t, conn)
}

// TestRequestsThatMustFail sends what no client should: each gets its error, and the connection
// goes on.
func TestRequestsThatMustFail(t *testing.T) {
	const size = 1 << 20
	e := newExport("disk", size, 4)
	e.info.MinBlock = 512
	h := start(t, Limits{}, newMemory(e))
	for _, c := range []struct {
		name string
		q    nbd.Request
		want nbd.Errno
	}{
		{"read past the end", nbd.Request{Command: nbd.CmdRead, Offset: size, Length: 512}, nbd.EINVAL},
		{"read over the end", nbd.Request{Command: nbd.CmdRead, Offset: size - 512, Length: 1024}, nbd.EINVAL},
		{"read round the corner", nbd.Request{Command: nbd.CmdRead, Offset: 1<<64 - 512, Length: 1024}, nbd.EINVAL},
		{"read of too much", nbd.Request{Command: nbd.CmdRead, Length: 1 << 31}, nbd.EINVAL},
		{"write past the end", nbd.Request{Command: nbd.CmdWrite, Offset: size, Length: 512}, nbd.ENOSPC},
		{"write round the corner", nbd.Request{Command: nbd.CmdWrite, Offset: 1<<64 - 512, Length: 1024}, nbd.ENOSPC},
		{"zeros past the end", nbd.Request{Command: nbd.CmdWriteZeroes, Offset: size, Length: 512}, nbd.ENOSPC},
		{"trim past the end", nbd.Request{Command: nbd.CmdTrim, Offset: size, Length: 512}, nbd.EINVAL},
		{"unaligned read", nbd.Request{Command: nbd.CmdRead, Offset: 1, Length: 512}, nbd.EINVAL},
		{"unaligned write", nbd.Request{Command: nbd.CmdWrite, Length: 511}, nbd.EINVAL},
		{"unknown command", nbd.Request{Command: 99}, nbd.EINVAL},
		{"unknown flag", nbd.Request{Command: nbd.CmdRead, Flags: 1 << 9, Length: 512}, nbd.EINVAL},
		{"flag of another command", nbd.Request{Command: nbd.CmdWrite, Flags: nbd.CmdFlagDF, Length: 512}, nbd.EINVAL},
		{"flush of a range", nbd.Request{Command: nbd.CmdFlush, Length: 512}, nbd.EINVAL},
		{"fast zeros without a hole", nbd.Request{Command: nbd.CmdWriteZeroes, Flags: nbd.CmdFlagFastZero | nbd.CmdFlagNoHole, Length: 512}, nbd.ENOTSUP},
		{"status without a context", nbd.Request{Command: nbd.CmdBlockStatus, Length: 512}, nbd.EINVAL},
		{"nothing", nbd.Request{Command: nbd.CmdWrite}, 0},
	} {
		for _, structured := range []bool{false, true} {
			conn := h.raw()
			begin(t, conn, "disk", structured)
			c.q.Cookie = 0x1234567890abcdef
			b := c.q.Append(nil)
			if c.q.Command == nbd.CmdWrite {
				b = append(b, make([]byte, c.q.Length)...)
			}
			if got := errnoOf(t, talk(t, conn, b, nbd.SimpleSize), conn, c.q.Cookie); got != c.want {
				t.Errorf("%s, structured %v: %v, want %v", c.name, structured, got, c.want)
			}
			flush := nbd.Request{Command: nbd.CmdFlush, Cookie: 5}.Append(nil)
			if got := errnoOf(t, talk(t, conn, flush, nbd.SimpleSize), conn, 5); got != 0 {
				t.Errorf("%s: what comes after it fails with %v", c.name, got)
			}
		}
	}
	if e.writes.Load()+e.zeroes.Load()+e.discards.Load() != 0 {
		t.Error("a request that must fail reached the backend")
	}
}

// errnoOf reads the rest of a reply without data whose first 16 bytes are b.
func errnoOf(t *testing.T, b []byte, conn net.Conn, cookie uint64) nbd.Errno {
	t.Helper()
	if be.Uint32(b) == nbd.MagicStructured {
		b = append(b, talk(t, conn, nil, nbd.StructuredSize-nbd.SimpleSize)...)
	}
	head := nbd.DecodeHead(b)
	if head.Cookie != cookie {
		t.Fatalf("reply with cookie %#x", head.Cookie)
	}
	if !head.Structured {
		return head.Errno
	}
	if head.Type != nbd.ChunkError || head.Flags != nbd.ReplyFlagDone {
		t.Fatalf("chunk %+v", head)
	}
	return nbd.Errno(be.Uint32(talk(t, conn, nil, int(head.Length))))
}

// TestDontFragment: a long read comes as one chunk if the client wishes, else in several.
func TestDontFragment(t *testing.T) {
	h := start(t, Limits{}, newMemory(newExport("disk", 16<<20, 8)))
	conn := h.raw()
	begin(t, conn, "disk", true)
	const n = 9 << 20
	for flags, chunks := range map[uint16]int{nbd.CmdFlagDF: 1, 0: 3} {
		q := nbd.Request{Flags: flags, Length: n, Cookie: 9}
		got := 0
		for total, send := 0, q.Append(nil); total < n; got++ {
			head := nbd.DecodeHead(talk(t, conn, send, nbd.StructuredSize))
			if head.Type != nbd.ChunkData || (head.Flags == nbd.ReplyFlagDone) != (got == chunks-1) {
				t.Fatalf("chunk %d of %d: %+v", got, chunks, head)
			}
			talk(t, conn, nil, int(head.Length))
			total, send = total+int(head.Length)-8, nil
		}
		if got != chunks {
			t.Errorf("flags %d: %d chunks, want %d", flags, got, chunks)
		}
	}
}

// TestStatusNeedsItsExport: a context that was selected for another export doesn't count.
func TestStatusNeedsItsExport(t *testing.T) {
	h := start(t, Limits{}, newMemory(newExport("disk", 4096, 4), newExport("other", 4096, 4)))
	for export, want := range map[string]nbd.Errno{"other": nbd.EINVAL, "disk": 0} {
		conn := h.raw()
		greet(t, conn, 3)
		option(t, conn, nbd.OptStructuredReply, nil)
		option(t, conn, nbd.OptSetMetaContext, nbd.AppendMetaRequest(nil, "disk", nbd.ContextAllocation))
		option(t, conn, nbd.OptGo, nbd.AppendInfoRequest(nil, export))
		q := nbd.Request{Command: nbd.CmdBlockStatus, Length: 4096}
		head := nbd.DecodeHead(talk(t, conn, q.Append(nil), nbd.StructuredSize))
		if head.Type.IsError() != (want != 0) {
			t.Errorf("%s: %+v", export, head)
		}
	}
}

func TestDisconnectAnswersEverythingFirst(t *testing.T) {
	e := newExport("disk", 1<<20, 64)
	h := start(t, Limits{}, newMemory(e))
	w := newWorker(h.srv.BatchEnd)
	e.async.Store(w)
	t.Cleanup(func() { _ = h.stop(); w.stop() })
	conn := h.raw()
	begin(t, conn, "disk", false)
	var b []byte
	for i := range 50 {
		b = nbd.Request{Cookie: uint64(i), Length: 4096}.Append(b)
	}
	b = nbd.Request{Command: nbd.CmdWrite, Cookie: 50}.Append(b) // of nothing: answered at once
	b = nbd.Request{Command: nbd.CmdDisc}.Append(b)
	w.hold.Lock()
	talk(t, conn, b, 0)
	eventually(t, "50 requests under way", func() bool { return e.inUse() == 50 })
	w.hold.Unlock()
	all, err := io.ReadAll(conn)
	if err != nil || len(all) != 50*(nbd.SimpleSize+4096)+nbd.SimpleSize {
		t.Errorf("%d bytes before the end, %v", len(all), err)
	}
}

func TestGarbageEndsTheConnection(t *testing.T) {
	h := start(t, Limits{}, newMemory(newExport("disk", 1<<20, 8)))
	big := be.AppendUint32(be.AppendUint32(be.AppendUint64(nil, nbd.MagicOption), uint32(nbd.OptList)), 1<<30)
	for _, c := range []struct {
		name  string
		stage int // 0: instead of flags, 1: instead of an option, 2: instead of a request
		bytes []byte
		log   string
	}{
		{"unknown handshake flags", 0, []byte{0x80, 0, 0, 3}, "unknown handshake flags"},
		{"HTTP", 0, []byte("GET / HTTP/1.1\r\n\r\n"), "unknown handshake flags"},
		{"no option", 1, []byte(strings.Repeat("garbage!", 10)), "wrong magic"},
		{"endless option", 1, big, "at most"},
		{"no request", 2, []byte(strings.Repeat("garbage!", 10)), "wrong magic"},
		{"huge write", 2, nbd.Request{Command: nbd.CmdWrite, Length: 1 << 30}.Append(nil), "at most"},
	} {
		conn := h.raw()
		switch c.stage {
		case 0:
			talk(t, conn, nil, nbd.GreetingSize)
		case 1:
			greet(t, conn, 3)
		case 2:
			begin(t, conn, "disk", true)
		}
		before := len(h.log.String())
		talk(t, conn, c.bytes, 0)
		closed(t, conn)
		eventually(t, c.name+": logged", func() bool { return strings.Contains(h.log.String()[before:], c.log) })
	}
	h.dial("disk", noOptions)
}

func TestSilentClientIsDropped(t *testing.T) {
	h := start(t, Limits{Handshake: 50 * time.Millisecond}, newMemory(newExport("disk", 1<<20, 8)))
	conn := h.raw()
	talk(t, conn, nil, nbd.GreetingSize)
	closed(t, conn)
	eventually(t, "logged", func() bool { return strings.Contains(h.log.String(), "took too long") })
	// Transmission has no such limit.
	c := h.dial("disk", noOptions)
	<-time.After(120 * time.Millisecond) // more than twice the limit: nothing is to happen
	if err := c.Flush(testContext(t)); err != nil {
		t.Error(err)
	}
}

func TestLimitOfConnections(t *testing.T) {
	h := start(t, Limits{Connections: 3}, newMemory(newExport("disk", 1<<20, 8)))
	var conns []net.Conn
	for range 3 {
		conn := h.raw()
		talk(t, conn, nil, nbd.GreetingSize)
		conns = append(conns, conn)
	}
	closed(t, h.raw())
	closed(t, h.raw())
	if n := strings.Count(h.log.String(), "too many NBD clients"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	if err := conns[0].Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "room for another one", func() bool { return h.srv.Connections() == 2 })
	h.dial("disk", noOptions)
}

func TestShutdownAnswersWhatIsUnderWay(t *testing.T) {
	e := newExport("disk", 1<<20, 64)
	h := start(t, Limits{}, newMemory(e))
	w := newWorker(h.srv.BatchEnd)
	e.async.Store(w)
	defer w.stop()
	conn := h.raw()
	begin(t, conn, "disk", false)
	w.hold.Lock()
	talk(t, conn, nbd.Request{Length: 4096}.Append(nil), 0)
	eventually(t, "a request under way", func() bool { return e.inUse() == 1 })
	done := make(chan error)
	go func() { done <- h.stop() }()
	select {
	case <-done:
		t.Error("the server has ended before its request")
	case <-time.After(20 * time.Millisecond): // it is to be still waiting
	}
	w.hold.Unlock()
	all, err := io.ReadAll(conn)
	if err := errors.Join(err, <-done); err != nil || len(all) != nbd.SimpleSize+4096 {
		t.Errorf("%d bytes before the end, %v", len(all), err)
	}
}

func TestShutdownGivesUpAfterItsGrace(t *testing.T) {
	e := newExport("disk", 1<<20, 1)
	h := start(t, Limits{Grace: 20 * time.Millisecond}, newMemory(e))
	w := newWorker(h.srv.BatchEnd)
	e.async.Store(w)
	w.hold.Lock()
	c, second := h.raw(), h.raw()
	begin(t, c, "disk", false)
	begin(t, second, "disk", false)
	talk(t, c, nbd.Request{Length: 4096}.Append(nil), 0)
	eventually(t, "a request under way", func() bool { return e.inUse() == 1 })
	talk(t, second, nbd.Request{Length: 4096}.Append(nil), 0) // waits for the only slot
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	w.hold.Unlock()
	w.stop()
	eventually(t, "the slot given back", func() bool { return e.inUse() == 0 })
}
