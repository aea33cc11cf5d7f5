package node

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	logQueue   = 4096     // lines
	maxLogLine = 64 << 10 // bytes
	// lastLines is how many lines of a process are told when it can't come up.
	lastLines   = 10
	maxTailLine = 512 // bytes of each
	// logDrain bounds how long the end of the log is waited for.
	logDrain = time.Second
)

// logSink writes the lines of all processes to one writer, from a goroutine of its own: whoever
// reads the log slowly, or not at all, holds up neither the supervisor nor a peer. Lines that
// don't fit in the queue are dropped and counted. Safe for use by many goroutines.
type logSink struct {
	lines chan []byte
	ended chan struct{}

	mu      sync.Mutex
	dropped int
	closed  bool
}

func newLogSink(w io.Writer) *logSink {
	s := &logSink{lines: make(chan []byte, logQueue), ended: make(chan struct{})}
	go s.write(w)
	return s
}

func (s *logSink) write(w io.Writer) {
	defer close(s.ended)
	for line := range s.lines {
		// There is nowhere to report that the log can't be written.
		_, _ = w.Write(line)
		s.mu.Lock()
		n := s.dropped
		s.dropped = 0
		s.mu.Unlock()
		if n > 0 {
			_, _ = fmt.Fprintf(w, "level=WARN msg=\"log lines were dropped\" count=%d\n", n)
		}
	}
}

// Write queues one record. The supervisor's own logger writes through it.
func (s *logSink) Write(p []byte) (int, error) {
	s.put(bytes.Clone(p))
	return len(p), nil
}

// put takes ownership of line.
func (s *logSink) put(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	select {
	case s.lines <- line:
	default:
		s.dropped++
	}
}

// close waits a short while until what is queued is written. A second call does nothing.
func (s *logSink) close() {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return
	}
	close(s.lines)
	select {
	case <-s.ended:
	case <-time.After(logDrain):
	}
}

// prefixer cuts what a process writes into lines and puts its role before each. Safe for use by many
// goroutines.
type prefixer struct {
	sink   *logSink
	prefix string

	mu   sync.Mutex
	part []byte
	tail []string // the last lines, oldest first
}

func (p *prefixer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(b)
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte{'\n'})
		p.part = append(p.part, line...)
		b = rest
		if whole || len(p.part) >= maxLogLine {
			p.pass()
		}
	}
	return n, nil
}

// last returns the last lines.
func (p *prefixer) last() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.tail)
}

// flush passes on what has no end of line yet.
func (p *prefixer) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pass()
}

// pass passes the line on that is in part. Precondition: mu is held.
func (p *prefixer) pass() {
	if len(p.part) == 0 {
		return
	}
	p.sink.put(fmt.Appendf(nil, "%s%s\n", p.prefix, p.part))
	if len(p.tail) == lastLines {
		p.tail = slices.Delete(p.tail, 0, 1)
	}
	p.tail = append(p.tail, string(p.part[:min(len(p.part), maxTailLine)]))
	p.part = p.part[:0]
}
