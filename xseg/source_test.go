package xseg

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipeSource is a pipe whose bytes are work.
type pipeSource struct {
	from, to int
	worked   chan byte
}

func newPipeSource(t *testing.T) *pipeSource {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fds[0]); _ = unix.Close(fds[1]) })
	return &pipeSource{from: fds[0], to: fds[1], worked: make(chan byte, 16)}
}

func (p *pipeSource) FD() int { return p.from }

func (p *pipeSource) Ready() bool {
	files := []unix.PollFd{{Fd: int32(p.from), Events: unix.POLLIN}}
	n, err := unix.Poll(files, 0)
	return err == nil && n > 0
}

func (p *pipeSource) Work() {
	var b [1]byte
	if n, err := unix.Read(p.from, b[:]); n == 1 && err == nil {
		p.worked <- b[0]
	}
}

func (p *pipeSource) send(t *testing.T, b byte) {
	t.Helper()
	if _, err := unix.Write(p.to, []byte{b}); err != nil {
		t.Fatal(err)
	}
}

// within waits for something that the loop does; far sooner than a sleep that nobody ends.
func within[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: nothing came", what)
		panic("unreachable")
	}
}

// TestSourceWakesTheLoop: a loop that sleeps hears of its source as of the segment, and still ends.
func TestSourceWakesTheLoop(t *testing.T) {
	src := newPipeSource(t)
	l := loopForTest(t, LoopOptions{Source: src})
	asleep, wait := make(chan struct{}, 64), l.wait
	l.wait = func(v uint32) {
		select {
		case asleep <- struct{}{}:
		default:
		}
		begun := time.Now()
		wait(v)
		if d := time.Since(begun); d > 1900*time.Millisecond { // the limit of a sleep: nobody woke it
			t.Errorf("slept for %v", d)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	posted := make(chan struct{})
	for i := range byte(5) {
		within(t, "sleep", asleep)
		src.send(t, i)
		if got := within(t, "work", src.worked); got != i {
			t.Errorf("byte %d came as %d", i, got)
		}
		within(t, "sleep", asleep)
		l.Post(func() { posted <- struct{}{} })
		within(t, "posted function", posted)
	}
	stop()
	if err := within(t, "end of the loop", ended); err != nil {
		t.Error(err)
	}
}

// TestBatchGoesOutBeforeItsEnd: functions of AtBatchEnd, which may take their time, run when what the
// batch has submitted is out, and what they submit goes out as well.
func TestBatchGoesOutBeforeItsEnd(t *testing.T) {
	src := newPipeSource(t)
	l := loopForTest(t, LoopOptions{Source: src})
	out := func() int { return len(l.unsubmitted) + len(l.unpublished) + len(l.wakes.due) }
	l.atEnd = append(l.atEnd, func() {
		if n := out(); n != 0 {
			t.Errorf("%d things wait while the end of the batch is told", n)
		}
		l.wakes.add(l.waiterNo)
	})
	src.send(t, 1)
	l.wakes.add(l.waiterNo)
	if !l.batch() || out() != 0 {
		t.Errorf("%d things wait after the batch", out())
	}
}
