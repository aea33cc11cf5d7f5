package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"archipelago/internal/nbd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var be = binary.BigEndian

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// server runs script for each connection: a server of a few bytes. It returns the path.
func server(t testing.TB, script func(s *scripted)) string {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			script(&scripted{t, conn})
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return path
}

type scripted struct {
	t    testing.TB
	conn net.Conn
}

func (s *scripted) send(b []byte) { _, _ = s.conn.Write(b) }

func (s *scripted) take(n int) []byte {
	b := make([]byte, n)
	_, _ = io.ReadFull(s.conn, b)
	return b
}

// enter plays the negotiation up to transmission on an export of 1 MiB.
func (s *scripted) enter() {
	s.send(nbd.AppendGreeting(nil, 3))
	s.take(4)
	for {
		opt, n, err := nbd.DecodeOption(s.take(nbd.OptionSize))
		if err != nil {
			return
		}
		s.take(int(n))
		var b []byte
		switch opt {
		case nbd.OptSetMetaContext:
			b = nbd.AppendOptReply(b, opt, nbd.RepMetaContext, nbd.AppendMetaContext(nil, 4, nbd.ContextAllocation))
		case nbd.OptGo:
			e := nbd.Export{Size: 1 << 20, Flags: nbd.FlagHasFlags}
			b = nbd.AppendOptReply(b, opt, nbd.RepInfo, e.AppendExport(nil))
		}
		s.send(nbd.AppendOptReply(b, opt, nbd.RepAck, nil))
		if opt == nbd.OptGo {
			return
		}
	}
}

func (s *scripted) request() (nbd.Request, error) { return nbd.DecodeRequest(s.take(nbd.RequestSize)) }

// TestHolesAndExtents: what our own server never sends.
func TestHolesAndExtents(t *testing.T) {
	path := server(t, func(s *scripted) {
		s.enter()
		q, _ := s.request()
		b := append(nbd.AppendDataChunk(nil, q.Cookie, 0, q.Offset+512, 512), bytes.Repeat([]byte{7}, 512)...)
		b = nbd.AppendChunk(b, q.Cookie, nbd.ReplyFlagDone, nbd.ChunkHole, 12)
		s.send(be.AppendUint32(be.AppendUint64(b, q.Offset), 512))
		q, _ = s.request()
		b = nbd.AppendChunk(nil, q.Cookie, nbd.ReplyFlagDone, nbd.ChunkStatus, 20)
		for _, v := range []uint32{4, 512, 0, 1024, 3} {
			b = be.AppendUint32(b, v)
		}
		s.send(b)
		s.take(nbd.RequestSize)
	})
	c, err := Dial(testContext(t), "unix", path, "x", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := bytes.Repeat([]byte{9}, 1024)
	if err := c.ReadAt(testContext(t), got, 1024); err != nil || got[0] != 0 || got[511] != 0 || got[512] != 7 {
		t.Errorf("%v, %d %d %d", err, got[0], got[511], got[512])
	}
	extents, err := c.BlockStatus(testContext(t), 0, 1536)
	if err != nil || len(extents) != 2 || extents[1] != (Extent{1024, nbd.StateHole | nbd.StateZero}) {
		t.Errorf("%v, %v", extents, err)
	}
}

// TestServerThatBreaksTheProtocol: calls fail, nothing crashes or hangs.
func TestServerThatBreaksTheProtocol(t *testing.T) {
	for name, answer := range map[string]func(q nbd.Request) []byte{
		"garbage":         func(nbd.Request) []byte { return bytes.Repeat([]byte("garbage!"), 9) },
		"nothing":         func(nbd.Request) []byte { return nil },
		"other cookie":    func(q nbd.Request) []byte { return nbd.AppendSimple(nil, q.Cookie+1, 0) },
		"simple to read":  func(q nbd.Request) []byte { return nbd.AppendSimple(nil, q.Cookie, 0) },
		"too little data": func(q nbd.Request) []byte { return nbd.AppendChunk(nil, q.Cookie, 1, nbd.ChunkNone, 0) },
		"data elsewhere": func(q nbd.Request) []byte {
			return append(nbd.AppendDataChunk(nil, q.Cookie, 1, q.Offset+1, 512), make([]byte, 512)...)
		},
		"data far below":   func(q nbd.Request) []byte { return nbd.AppendDataChunk(nil, q.Cookie, 1, 0, 512) },
		"endless data":     func(q nbd.Request) []byte { return nbd.AppendDataChunk(nil, q.Cookie, 1, q.Offset, 1<<30) },
		"unknown chunk":    func(q nbd.Request) []byte { return nbd.AppendChunk(nil, q.Cookie, 1, 77, 0) },
		"error, too short": func(q nbd.Request) []byte { return nbd.AppendChunk(nil, q.Cookie, 1, nbd.ChunkError, 2) },
		"cut off":          func(q nbd.Request) []byte { return nbd.AppendDataChunk(nil, q.Cookie, 1, q.Offset, 512) },
	} {
		path := server(t, func(s *scripted) {
			s.enter()
			if q, err := s.request(); err == nil {
				s.send(answer(q))
			}
		})
		c, err := Dial(testContext(t), "unix", path, "x", Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.ReadAt(testContext(t), make([]byte, 512), 4096); !errors.Is(err, ErrLost) {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Flush(testContext(t)); !errors.Is(err, ErrLost) {
			t.Errorf("%s: the call after it: %v", name, err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNegotiationThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		send []byte
		want string
	}{
		"not NBD":  {[]byte("HTTP/1.1 400 Bad Request\r\n"), "magic"},
		"oldstyle": {nbd.AppendGreeting(nil, 0), "newstyle"},
		"closed":   {nil, "EOF"},
	} {
		path := server(t, func(s *scripted) { s.send(c.send) })
		if _, err := Dial(testContext(t), "unix", path, "x", Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A server that says nothing: the context ends it.
	silent := server(t, func(s *scripted) { s.take(1) })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, "unix", silent, "x", Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent server: %v", err)
	}
}

// TestRedial: calls survive a server that dies under them.
func TestRedial(t *testing.T) {
	var sessions atomic.Int32
	path := server(t, func(s *scripted) {
		s.enter()
		n := sessions.Add(1)
		for {
			q, err := s.request()
			if err != nil || n == 1 {
				return
			}
			s.send(nbd.AppendSimple(nil, q.Cookie, 0))
		}
	})
	c, err := Dial(testContext(t), "unix", path, "x", Options{Redial: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Flush(testContext(t)); err != nil || sessions.Load() != 2 {
		t.Errorf("%d sessions, %v", sessions.Load(), err)
	}
}

func TestRedialEnds(t *testing.T) {
	path := server(t, func(s *scripted) { s.enter() })
	ctx, cancel := context.WithCancel(testContext(t))
	c, err := Dial(ctx, "unix", path, "x", Options{Redial: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	flushed := make(chan error)
	go func() { flushed <- c.Flush(ctx) }()
	cancel()
	if err := <-flushed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	go func() { flushed <- c.Flush(testContext(t)) }()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-flushed; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestContextEndsACall(t *testing.T) {
	hang := make(chan struct{})
	path := server(t, func(s *scripted) {
		s.enter()
		<-hang
	})
	defer close(hang)
	c, err := Dial(testContext(t), "unix", path, "x", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := c.ReadAt(ctx, make([]byte, 512), 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := c.ReadAt(ctx, make([]byte, 2), 1<<20-1); !errors.Is(err, ErrRange) {
		t.Errorf("got %v", err)
	}
}

// FuzzServer feeds the client whatever a server may send.
func FuzzServer(f *testing.F) {
	f.Add(nbd.AppendGreeting(nil, 3))
	b := nbd.AppendGreeting(nil, 3)
	b = nbd.AppendOptReply(b, nbd.OptStructuredReply, nbd.RepAck, nil)
	b = nbd.AppendOptReply(b, nbd.OptSetMetaContext, nbd.RepAck, nil)
	b = nbd.AppendOptReply(b, nbd.OptGo, nbd.RepInfo, nbd.Export{Size: 4096}.AppendExport(nil))
	b = nbd.AppendOptReply(b, nbd.OptGo, nbd.RepAck, nil)
	f.Add(append(append(b, nbd.AppendDataChunk(nil, 1, 1, 0, 512)...), make([]byte, 512)...))
	f.Add(nbd.AppendErrorChunk(b, 1, nbd.EIO))
	f.Fuzz(func(t *testing.T, in []byte) {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		go func() {
			_, _ = theirs.Write(in)
			_ = theirs.Close()
		}()
		defer ours.Close()
		s, err := newSession(ours, "x", Options{})
		if err != nil {
			return
		}
		go s.receive()
		ctx := context.Background()
		_ = s.do(ctx, newCall(nbd.Request{Length: 512}, make([]byte, 512)))
		_ = s.do(ctx, newCall(nbd.Request{Command: nbd.CmdBlockStatus, Length: 512}, nil))
		s.fail(ErrClosed)
		<-s.ended
	})
}
