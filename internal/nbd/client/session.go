package client

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"

	"archipelago/internal/nbd"
)

// call is one request while it is under way. What receive does with it ends before done is sent to.
type call struct {
	nbd.Request
	data    []byte // of a write; where a read goes
	extents []Extent
	got     uint64 // bytes of a read that have come
	err     error
	done    chan struct{} // holds one
}

func newCall(q nbd.Request, data []byte) *call {
	return &call{Request: q, data: data, done: make(chan struct{}, 1)}
}

// session is one connection to the server.
type session struct {
	conn       net.Conn
	in         *bufio.Reader
	info       nbd.Export
	structured bool
	meta       bool
	ended      chan struct{} // closed when receive has ended

	sendMu sync.Mutex // one request at a time on the socket
	head   []byte

	mu     sync.Mutex
	calls  map[uint64]*call // by cookie
	cookie uint64
	err    error // why the session has ended
}

func newSession(conn net.Conn, export string, opts Options) (*session, error) {
	s := &session{
		conn: conn, in: bufio.NewReaderSize(conn, 64<<10),
		ended: make(chan struct{}), calls: make(map[uint64]*call),
	}
	var err error
	s.info, s.structured, s.meta, err = negotiation{conn, s.in}.enter(export, opts.Simple)
	return s, err
}

// do sends a call and waits for its end. ErrLost: the session ended before the answer came.
func (s *session) do(ctx context.Context, k *call) error {
	k.got, k.extents, k.err = 0, nil, nil
	if err := s.register(k); err != nil {
		return err
	}
	if err := s.send(k); err != nil {
		s.fail(err)
	}
	select {
	case <-k.done:
		return k.err
	case <-ctx.Done():
		// The answer would still be written to the caller's memory: end the session first.
		s.fail(ctx.Err())
		<-k.done
		return ctx.Err()
	}
}

func (s *session) register(k *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return fmt.Errorf("%w: %w", ErrLost, s.err)
	}
	s.cookie++
	k.Cookie = s.cookie
	s.calls[k.Cookie] = k
	return nil
}

func (s *session) send(k *call) error {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.head = k.Append(s.head[:0])
	if k.Command != nbd.CmdWrite {
		_, err := s.conn.Write(s.head)
		return err
	}
	// One system call for both.
	buffers := net.Buffers{s.head, k.data}
	_, err := buffers.WriteTo(s.conn)
	return err
}

// disconnect ends the session as the protocol wishes it.
func (s *session) disconnect() {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	// A server that is gone already needs no farewell.
	_, _ = s.conn.Write(nbd.Request{Command: nbd.CmdDisc}.Append(nil))
	s.fail(ErrClosed)
}

// fail ends the session; receive then ends all calls.
func (s *session) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	_ = s.conn.Close() // again and again: harmless
}

func (s *session) isLost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

func (s *session) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrLost, s.err)
}

// receive reads replies until the session ends, and ends the calls that are left then.
func (s *session) receive() {
	defer close(s.ended)
	var err error
	for err == nil {
		err = s.receiveOne()
	}
	s.fail(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	for cookie, k := range s.calls {
		k.err = fmt.Errorf("%w: %w", ErrLost, s.err)
		if s.err == ErrClosed {
			k.err = ErrClosed
		}
		delete(s.calls, cookie)
		k.done <- struct{}{}
	}
}

func (s *session) receiveOne() error {
	magic, err := s.in.Peek(4)
	if err != nil {
		return err
	}
	size, err := nbd.HeadSize(magic)
	if err != nil {
		return err
	}
	b, err := s.in.Peek(size)
	if err != nil {
		return err
	}
	head := nbd.DecodeHead(b)
	_, _ = s.in.Discard(size) // was peeked
	k := s.find(head.Cookie)
	if k == nil {
		return fmt.Errorf("%w: reply to nothing, cookie %d", ErrProtocol, head.Cookie)
	}
	if head.Structured {
		return s.chunk(k, head)
	}
	if head.Errno != 0 {
		k.err = head.Errno
	} else if k.Command == nbd.CmdRead {
		if s.structured {
			return fmt.Errorf("%w: simple reply to a read", ErrProtocol)
		}
		if _, err := io.ReadFull(s.in, k.data); err != nil {
			return err
		}
	}
	s.finish(k)
	return nil
}

func (s *session) find(cookie uint64) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[cookie]
}

// finish ends a call that was answered.
func (s *session) finish(k *call) {
	s.mu.Lock()
	delete(s.calls, k.Cookie)
	s.mu.Unlock()
	k.done <- struct{}{}
}

// chunk takes one chunk of a structured reply.
func (s *session) chunk(k *call, head nbd.ReplyHead) error {
	if !s.structured {
		return fmt.Errorf("%w: structured reply", ErrProtocol)
	}
	if err := s.chunkPayload(k, head); err != nil {
		return err
	}
	if head.Flags&nbd.ReplyFlagDone == 0 {
		return nil
	}
	if k.err == nil && k.Command == nbd.CmdRead && k.got != uint64(k.Length) {
		return fmt.Errorf("%w: %d of %d bytes read", ErrProtocol, k.got, k.Length)
	}
	s.finish(k)
	return nil
}

func (s *session) chunkPayload(k *call, head nbd.ReplyHead) error {
	read := k.Command == nbd.CmdRead
	switch {
	case head.Type == nbd.ChunkNone && head.Length == 0:
		return nil
	case head.Type == nbd.ChunkData && read && head.Length > 8:
		return s.data(k, uint64(head.Length)-8)
	case head.Type == nbd.ChunkHole && read && head.Length == 12:
		return s.hole(k)
	case head.Type == nbd.ChunkStatus && k.Command == nbd.CmdBlockStatus && head.Length%8 == 4 && head.Length <= maxReply:
		return s.status(k, head.Length)
	case head.Type.IsError() && head.Length >= 6 && head.Length <= maxReply:
		return s.errorChunk(k, head.Length)
	}
	return fmt.Errorf("%w: chunk %d of %d bytes", ErrProtocol, head.Type, head.Length)
}

// take reads n bytes. The result is valid until the next read. n is at most the buffer of in.
func (s *session) take(n int) ([]byte, error) {
	b, err := s.in.Peek(n)
	if err == nil {
		_, err = s.in.Discard(n)
	}
	return b, err
}

// place is the part of a read's buffer for n bytes at an offset of the export.
func (k *call) place(off, n uint64) ([]byte, error) {
	if off < k.Offset || n > uint64(k.Length) || off-k.Offset > uint64(k.Length)-n {
		return nil, fmt.Errorf("%w: %d bytes at %d for a read of %d at %d", ErrProtocol, n, off, k.Length, k.Offset)
	}
	k.got += n
	return k.data[off-k.Offset:][:n], nil
}

func (s *session) data(k *call, n uint64) error {
	b, err := s.take(8)
	if err != nil {
		return err
	}
	dst, err := k.place(binary.BigEndian.Uint64(b), n)
	if err == nil {
		_, err = io.ReadFull(s.in, dst)
	}
	return err
}

func (s *session) hole(k *call) error {
	b, err := s.take(12)
	if err != nil {
		return err
	}
	dst, err := k.place(binary.BigEndian.Uint64(b), uint64(binary.BigEndian.Uint32(b[8:])))
	clear(dst)
	return err
}

func (s *session) status(k *call, n uint32) error {
	b, err := s.take(int(n))
	if err != nil {
		return err
	}
	for b = b[4:]; len(b) >= 8; b = b[8:] {
		k.extents = append(k.extents, Extent{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])})
	}
	return nil
}

func (s *session) errorChunk(k *call, n uint32) error {
	b, err := s.take(int(n))
	if err == nil {
		k.err = nbd.Errno(binary.BigEndian.Uint32(b))
	}
	return err
}
