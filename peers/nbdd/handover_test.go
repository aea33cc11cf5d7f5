package nbdd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/nbd"
	"archipelago/internal/nbd/client"
)

// store plays the service manager: it keeps duplicates.
type store struct {
	t     testing.TB
	mu    sync.Mutex
	fds   map[string][]int
	limit int // of all; 0 = none
}

func newStore(t testing.TB) *store {
	s := &store{t: t, fds: map[string][]int{}}
	t.Cleanup(s.empty)
	return s
}

func (s *store) keep(name string, fds ...int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fd := range fds {
		if s.limit > 0 && len(s.fds[clientsName])+len(s.fds[stateName]) >= s.limit {
			return nil
		}
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return err
		}
		s.fds[name] = append(s.fds[name], dup)
	}
	return nil
}

// passed gives everything away, the last stored first.
func (s *store) passed() map[string][]*os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := map[string][]*os.File{}
	for name, fds := range s.fds {
		for i := range fds {
			files[name] = append(files[name], os.NewFile(uintptr(fds[len(fds)-1-i]), name))
		}
	}
	clear(s.fds)
	return files
}

func (s *store) empty() {
	for _, files := range s.passed() {
		for _, f := range files {
			_ = f.Close()
		}
	}
}

// restart stops the server and starts its successor over the same backend.
func (s *store) restart(h *harness, b Backend) *harness {
	s.t.Helper()
	if err := h.stop(); err != nil {
		s.t.Fatal(err)
	}
	return s.successor(h.srv.limits, b)
}

// successor starts a server that takes over what is stored.
func (s *store) successor(limits Limits, b Backend) *harness {
	s.t.Helper()
	next := prepare(s.t, limits)
	next.srv.KeepClients(s.keep)
	passed := s.passed()
	if err := next.srv.Adopt(passed[stateName], passed[clientsName]); err != nil {
		_, _ = next.log.Write([]byte(err.Error()))
	}
	next.serve(b)
	return next
}

// keeping starts a first server whose clients are kept.
func keeping(t testing.TB, limits Limits, b Backend) (*harness, *store) {
	s := newStore(t)
	return s.successor(limits, b), s
}

// TestRestartKeepsClients: requests go on through restarts, and none fails.
func TestRestartKeepsClients(t *testing.T) {
	e := newExport("disk", 1<<20, 64)
	b := newMemory(e)
	h, s := keeping(t, Limits{}, b)
	c := h.dial("disk", noOptions)
	simple := h.dial("disk", client.Options{Simple: true})
	ctx := testContext(t)
	var wg sync.WaitGroup
	quit := make(chan struct{})
	for i, c := range []*client.Client{c, simple, c} {
		wg.Go(func() {
			off := int64(i) * 300000
			for n := byte(1); ; n++ {
				want, got := bytes.Repeat([]byte{n}, 70000), make([]byte, 70000)
				if err := errors.Join(c.WriteAt(ctx, want, off), c.ReadAt(ctx, got, off)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("client %d: %v", i, err)
					return
				}
				select {
				case <-quit:
					return
				default:
				}
			}
		})
	}
	for range 20 {
		h = s.restart(h, b)
		if xs, err := c.BlockStatus(ctx, 0, 1<<20); err != nil || len(xs) == 0 {
			t.Errorf("block status: %v", err)
		}
	}
	close(quit)
	wg.Wait()
}

// TestRestartAtEveryByte cuts a conversation at every byte: the rest of it reaches a successor, and
// the client sees what it would have seen without a restart.
func TestRestartAtEveryByte(t *testing.T) {
	talk := be.AppendUint32(nil, uint32(nbd.FlagFixedNewstyle|nbd.FlagNoZeroes))
	talk = nbd.AppendOption(talk, nbd.OptStructuredReply, nil)
	talk = nbd.AppendOption(talk, nbd.OptSetMetaContext, nbd.AppendMetaRequest(nil, "disk", nbd.ContextAllocation))
	talk = nbd.AppendOption(talk, nbd.OptGo, nbd.AppendInfoRequest(nil, "disk", nbd.InfoName))
	add := func(cmd nbd.Command, off uint64, n uint32, data []byte) {
		talk = append(nbd.Request{Command: cmd, Cookie: uint64(len(talk)), Offset: off, Length: n}.Append(talk), data...)
	}
	add(nbd.CmdWrite, 100, 9, []byte("something"))
	add(nbd.CmdWrite, 1<<40, 9, []byte("NBDMAGIC!")) // refused, its data skipped
	add(nbd.CmdRead, 98, 16, nil)
	add(nbd.CmdFlush, 0, 0, nil)
	add(nbd.CmdBlockStatus, 0, 8192, nil) // last: it is answered when its time comes
	add(nbd.CmdDisc, 0, 0, nil)
	want := conversation(t, talk, -1)
	for cut := range talk {
		if got := conversation(t, talk, cut); !bytes.Equal(got, want) {
			t.Fatalf("restart after byte %d: the client gets %d bytes %x, want %d %x", cut, len(got), got, len(want), want)
		}
	}
}

// conversation says all of talk, with a restart after the first cut bytes, and returns the answers.
func conversation(t *testing.T, talk []byte, cut int) []byte {
	b := newMemory(newExport("disk", 1<<16, 8))
	h, s := keeping(t, Limits{}, b)
	conn := h.raw()
	if cut >= 0 {
		if _, err := conn.Write(talk[:cut]); err != nil {
			t.Fatal(err)
		}
		talk = talk[cut:]
		eventually(t, "all read", func() bool { return unreadBytes(t, conn) == 0 && h.srv.Connections() == 1 })
		h = s.restart(h, b)
	}
	if _, err := conn.Write(talk); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	return got
}

// unreadBytes is how much of what was sent the other end hasn't read yet.
func unreadBytes(t testing.TB, conn *net.UnixConn) (n int) {
	rc, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = rc.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRestartInsideALongWrite: the data comes before and after restarts; the pieces that are there
// aren't asked for again.
func TestRestartInsideALongWrite(t *testing.T) {
	e := newExport("disk", 16<<20, 4)
	b := newMemory(e)
	h, s := keeping(t, Limits{}, b)
	conn := h.raw()
	begin(t, conn, "disk", false)
	rng := rand.New(rand.NewPCG(*seed, 11))
	data := make([]byte, 13<<20)
	fill(rng, data)
	const off = 1<<20 + 12345
	send := func(b []byte) {
		t.Helper()
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	send(nbd.Request{Command: nbd.CmdWrite, Cookie: 5, Offset: off, Length: uint32(len(data))}.Append(nil))
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 1+rng.IntN(3<<20))
		send(rest[:n])
		rest = rest[n:]
		h = s.restart(h, b)
	}
	if got := nbd.DecodeHead(talk(t, conn, nil, nbd.SimpleSize)); got.Errno != 0 || got.Cookie != 5 {
		t.Errorf("%+v", got)
	}
	e.dataMu.Lock()
	defer e.dataMu.Unlock()
	if !bytes.Equal(e.data[off:][:len(data)], data) {
		t.Error("other bytes were written")
	}
}

// TestRestartWithoutTheVolume: the session ends where its volume is gone or is another one.
func TestRestartWithoutTheVolume(t *testing.T) {
	e, gone := newExport("disk", 1<<20, 4), newExport("gone", 1<<20, 4)
	h, s := keeping(t, Limits{}, newMemory(e, gone))
	a, b := h.raw(), h.raw()
	begin(t, a, "disk", true)
	begin(t, b, "gone", true)
	other := newExport("disk", 1<<20, 4)
	other.info.ID[3] = 9
	h = s.restart(h, newMemory(other))
	closed(t, a)
	closed(t, b)
	eventually(t, "both in the log", func() bool { return strings.Count(h.log.String(), "take the session over") == 2 })
}

// TestStateOfAnotherVersion: clients are let go, and the log says why.
func TestStateOfAnotherVersion(t *testing.T) {
	b := newMemory(newExport("disk", 1<<20, 4))
	h, s := keeping(t, Limits{}, b)
	conn := h.raw()
	begin(t, conn, "disk", true)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Pwrite(s.fds[stateName][0], []byte{stateVersion + 1}, 8); err != nil {
		t.Fatal(err)
	}
	h = s.successor(Limits{}, b)
	closed(t, conn)
	if log := h.log.String(); !strings.Contains(log, "another version") || !strings.Contains(log, "1 clients") {
		t.Errorf("log: %s", log)
	}
}

// TestBrokenConnectionsAreLeftOut: the others are handed over all the same.
func TestBrokenConnectionsAreLeftOut(t *testing.T) {
	st, srv := newStore(t), newServer(t, Limits{}, slog.DiscardHandler)
	var conns []*conn
	for range 3 {
		ours, theirs := socketPair(t)
		defer ours.Close()
		c := srv.newConn(t.Context(), fdOf(t, theirs), srv.log)
		if err := c.sock.watch(); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	conns[1].sock.close()
	srv.KeepClients(st.keep)
	srv.parked = conns
	srv.handOver()
	passed := st.passed()
	all, err := takeKept(passed[stateName], passed[clientsName])
	if err != nil || len(all) != 2 {
		t.Errorf("%d of 2 are taken over: %v", len(all), err)
	}
	for _, k := range all {
		_ = unix.Close(k.fd)
	}
}

// TestStoreIsFull: those that found room go on.
func TestStoreIsFull(t *testing.T) {
	b := newMemory(newExport("disk", 1<<20, 4))
	h, s := keeping(t, Limits{}, b)
	s.limit = 3
	var conns []net.Conn
	for range 5 {
		conn := h.raw()
		begin(t, conn, "disk", false)
		conns = append(conns, conn)
	}
	h = s.restart(h, b)
	eventually(t, "two are served", func() bool { return h.srv.Connections() == 2 })
	served := 0
	for _, conn := range conns {
		_, err := conn.Write(nbd.Request{Length: 512}.Append(nil))
		if n, _ := io.ReadFull(conn, make([]byte, nbd.SimpleSize+512)); err == nil && n > 0 {
			served++
		}
	}
	if served != 2 {
		t.Errorf("%d of 5 clients are served, 2 were kept", served)
	}
}

// TestManyClientsAtARestart: all of them, in every phase, go on.
func TestManyClientsAtARestart(t *testing.T) {
	b := newMemory(newExport("disk", 1<<20, 4))
	h, s := keeping(t, Limits{}, b)
	const n = 300
	var conns []net.Conn
	for i := range n {
		conn := h.raw()
		if i%3 == 0 {
			talk(t, conn, nil, nbd.GreetingSize)
		} else {
			begin(t, conn, "disk", i%3 == 1)
		}
		conns = append(conns, conn)
	}
	began := time.Now()
	h = s.restart(h, b)
	for i, conn := range conns {
		if i%3 == 0 {
			talk(t, conn, be.AppendUint32(nil, 3), 0)
			if r, _ := option(t, conn, nbd.OptGo, nbd.AppendInfoRequest(nil, "disk")); r != nbd.RepAck {
				t.Fatalf("client %d: export refused", i)
			}
		}
		talk(t, conn, nbd.Request{Command: nbd.CmdFlush}.Append(nil), nbd.SimpleSize)
	}
	t.Logf("all of %d clients were answered after %v", n, time.Since(began))
	if got := h.srv.Connections(); got != n {
		t.Errorf("%d connections", got)
	}
}

// TestBusyClientAtARestart: what the backend has is waited for, and answered by the old server.
func TestBusyClientAtARestart(t *testing.T) {
	e := newExport("disk", 1<<20, 8)
	b := newMemory(e)
	h, s := keeping(t, Limits{}, b)
	w := newWorker(h.srv.BatchEnd)
	e.async.Store(w)
	raw := h.raw()
	begin(t, raw, "disk", false)
	w.hold.Lock()
	// In one piece: a write whose data is still to come would go to the successor.
	talk(t, raw, append(nbd.Request{Command: nbd.CmdWrite, Cookie: 1, Length: 3}.Append(nil), "abc"...), 0)
	eventually(t, "the write is under way", func() bool { return e.inUse() == 1 })
	stopped := make(chan *harness)
	go func() { stopped <- s.restart(h, b) }()
	eventually(t, "no more is read", func() bool {
		reads := true
		h.srv.each(func(c *conn) { reads = !c.in.stopped.Load() })
		return !reads
	})
	w.hold.Unlock()
	<-stopped
	e.async.Store(nil)
	w.stop()
	if got := nbd.DecodeHead(talk(t, raw, nil, nbd.SimpleSize)); got.Errno != 0 || got.Cookie != 1 {
		t.Errorf("%+v", got)
	}
	talk(t, raw, nbd.Request{Length: 512}.Append(nil), nbd.SimpleSize+512)
}

// TestRestartBesideAClientThatReadsNothing: it gets its replies later, from the successors, and
// nobody waits for it.
func TestRestartBesideAClientThatReadsNothing(t *testing.T) {
	const size = 1 << 20
	e := newExport("disk", 16*size, 64)
	fill(rand.New(rand.NewPCG(*seed, 12)), e.data)
	b := newMemory(e)
	h, s := keeping(t, Limits{Grace: patience, Stall: 20 * time.Millisecond}, b)
	lazy := h.raw()
	begin(t, lazy, "disk", true)
	const n = 12
	for i := range n {
		talk(t, lazy, nbd.Request{Cookie: uint64(i), Offset: uint64(i) * size, Length: size}.Append(nil), 0)
	}
	c := h.dial("disk", noOptions)
	for range 3 {
		began := time.Now()
		h = s.restart(s.restart(h, b), b)
		if err := c.ReadAt(testContext(t), make([]byte, 4096), 0); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > patience/2 {
			t.Errorf("the restart took %v", took)
		}
		talk(t, lazy, nbd.Request{Command: nbd.CmdFlush, Cookie: 77}.Append(nil), 0)
	}
	reads, flushes := 0, 0
	for reads < n || flushes < 3 {
		head := nextHead(t, lazy)
		if !head.Structured {
			flushes++
			continue
		}
		data := talk(t, lazy, nil, int(head.Length))[8:]
		if i := head.Cookie; !bytes.Equal(data, e.data[i*size:][:size]) {
			t.Fatalf("read %d got other bytes", i)
		}
		reads++
	}
}

// TestRestartBesideAClientThatWantsALongList: it ends; nobody waits for it.
func TestRestartBesideAClientThatWantsALongList(t *testing.T) {
	exports := []*memExport{newExport("disk", 1<<20, 4)}
	for i := range 5000 {
		exports = append(exports, newExport(fmt.Sprintf("%0200d", i), 1, 1))
	}
	b := newMemory(exports...)
	h, s := keeping(t, Limits{Grace: patience, Listless: 20 * time.Millisecond}, b)
	c, lazy := h.dial("disk", noOptions), h.raw()
	greet(t, lazy, 3)
	talk(t, lazy, nbd.AppendOption(nil, nbd.OptList, nil), 0)
	eventually(t, "the socket is full", func() bool { return unreadBytes(t, lazy) == 0 && h.srv.Connections() == 2 })
	began := time.Now()
	s.restart(h, b)
	if err := c.ReadAt(testContext(t), make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("the restart took %v", took)
	}
}

// nextHead reads the head of a reply of either kind.
func nextHead(t testing.TB, conn net.Conn) nbd.ReplyHead {
	t.Helper()
	b := talk(t, conn, nil, 4)
	n, err := nbd.HeadSize(b)
	if err != nil {
		t.Fatal(err)
	}
	return nbd.DecodeHead(append(b, talk(t, conn, nil, n-4)...))
}

func FuzzState(f *testing.F) {
	f.Add(appendState(nil, nil))
	f.Add(appendState(nil, []session{{inode: 1, export: "a"}, {
		phase: phaseTransmission, contexts: 3, export: "disk", metaExport: "disk", unread: []byte("NBD"),
		paused: &pausedWrite{Request: nbd.Request{Command: nbd.CmdWrite, Offset: 4, Length: 8}, at: 6, errno: nbd.EIO}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		sessions, err := parseState(b)
		if err != nil {
			// Past the checksum as well.
			if len(b) < stateHead+4 || errors.Is(err, errStateVersion) {
				return
			}
			body := b[:len(b)-4]
			sessions, err = parseState(le.AppendUint32(body[:len(body):len(body)], checksum(body)))
		}
		if err != nil {
			return
		}
		again, err := parseState(appendState(nil, sessions))
		if err != nil || len(again) != len(sessions) {
			t.Fatalf("%d sessions become %d: %v", len(sessions), len(again), err)
		}
	})
}
