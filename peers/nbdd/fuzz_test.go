package nbdd

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/nbd"
)

// socketPair returns both ends of a connection that no path leads to.
func socketPair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn := func(fd int) *net.UnixConn {
		f := os.NewFile(uintptr(fd), "pair")
		defer f.Close()
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		return c.(*net.UnixConn)
	}
	return conn(fds[0]), conn(fds[1])
}

// FuzzConversation feeds the server whatever it likes: it must end the connection, without a crash
// and with all that it took given back.
func FuzzConversation(f *testing.F) {
	flags := []byte{0, 0, 0, 3}
	structured := nbd.AppendOption(flags, nbd.OptStructuredReply, nil)
	meta := nbd.AppendOption(structured, nbd.OptSetMetaContext, nbd.AppendMetaRequest(nil, "d", nbd.ContextAllocation))
	info := nbd.AppendInfoRequest(nil, "d", nbd.InfoBlockSize)
	ready := nbd.AppendOption(meta, nbd.OptGo, info)
	f.Add(nbd.AppendOption(flags, nbd.OptList, nil))
	f.Add(nbd.AppendOption(flags, nbd.OptExportName, []byte("d")))
	f.Add(nbd.AppendOption(structured, nbd.OptListMetaContext, nbd.AppendMetaRequest(nil, "d", "base:")))
	for cmd := nbd.CmdRead; cmd <= nbd.CmdBlockStatus; cmd++ {
		q := nbd.Request{Command: cmd, Offset: 512, Length: 1024}
		f.Add(append(q.Append(append([]byte(nil), ready...)), make([]byte, 1024)...))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		e := newExport("d", 1<<16, 2)
		s := newServer(t, Limits{Handshake: time.Second, HeapBytes: 64 << 20}, slog.DiscardHandler)
		s.backend = newMemory(e)
		ours, theirs := socketPair(t)
		c := s.newConn(context.Background(), fdOf(t, theirs), s.log)
		if err := c.sock.watch(); err != nil {
			t.Fatal(err)
		}
		s.running.Go(c.run)
		go func() {
			_, _ = ours.Write(in)
			_ = ours.CloseWrite()
		}()
		_, _ = io.Copy(io.Discard, ours)
		s.running.Wait()
		_ = ours.Close()
		if e.inUse() != 0 || s.heap.left.Load() != 64<<20 {
			t.Errorf("%d IOs and %d bytes left behind", e.inUse(), 64<<20-s.heap.left.Load())
		}
	})
}
