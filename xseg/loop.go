package xseg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
)

// Loop is a serving thread: it receives requests of all ports bound on it and completions of all
// channels connected from them, and runs their callbacks, one at a time.
type Loop struct {
	seg      *Segment
	waiterNo uint32
	word     *atomic.Uint32
	wait     func(v uint32) // blocks while the word is v, until woken; may return early
	bell     *bell          // kind EVENTFD: what wakes us
	source   Source         // nil: there is only the segment
	mail     mailbox
	spin     spinner

	ctx    context.Context // ends with Close: stops the goroutines that watch sockets
	cancel context.CancelFunc
	wg     sync.WaitGroup

	stopping  atomic.Bool
	abandoned atomic.Bool // see Abandon
	closed    atomic.Bool

	// The loop's own: touched on the loop only, or before it runs and after it has returned.
	served      []*served
	own         []*Channel
	atEnd       []func()
	wakes       wakeList
	counting    []*Port      // ports that serve
	counted     []*VolumeRow // with counts that aren't in the segment yet
	unsubmitted []*Channel   // with calls that the batch submitted
	unpublished []*served    // with answers of the batch
	now         int64        // monotonic time at the start of the batch
	handled     int          // requests and answers of the batch
	naps        bool         // sleeps are short these days
	yielded     int64        // monotonic time of the last yield, or sleep that was one
	extents     [256]uint16
	countAt     int64
	tickAt      int64

	mu    sync.Mutex
	ports []*Port
}

// LoopOptions are what a loop can differ in.
type LoopOptions struct {
	// Eventfd makes the loop sleep on an eventfd. A peer that can't wake a futex, a kernel, can be
	// the other end of channels to and from its ports; all others wake it as cheaply.
	Eventfd bool
	// Source is waited for beside the segment; nil: nothing is. It implies Eventfd.
	Source Source
}

// Source is work that comes from outside of the segment, by way of files, and that a loop does
// itself: what reads a socket and what serves it are then one thread, and nothing is handed over
// between two. All methods are called on the loop, FD also before it runs.
type Source interface {
	// FD is a descriptor that is readable as long as Ready would return true: that of an epoll
	// instance, say. It stays the same, and open until the loop is closed.
	FD() int
	// Ready tells whether Work has something to do. It MUST NOT block; a loop that spins calls it
	// every microsecond or so.
	Ready() bool
	// Work does what there is to do, some of it at least. It MUST NOT block.
	Work()
}

// NewLoop takes a waiter of the segment.
func (s *Segment) NewLoop() (*Loop, error) { return s.NewLoopWith(LoopOptions{}) }

// NewLoopWith is NewLoop with options.
func (s *Segment) NewLoopWith(opts LoopOptions) (*Loop, error) {
	l, err := s.newLoop(opts)
	if err != nil {
		return nil, fmt.Errorf("new loop: %w", err)
	}
	return l, nil
}

func (s *Segment) newLoop(opts LoopOptions) (*Loop, error) {
	l, kind := &Loop{seg: s}, uint32(abi.WaiterFutex)
	l.wait = func(v uint32) { shm.Wait(l.word, v, l.naps) }
	if opts.Eventfd || opts.Source != nil {
		b, err := newBell()
		if err != nil {
			return nil, err
		}
		kind, l.bell, l.source = abi.WaiterEventfd, b, opts.Source
		other := -1
		if l.source != nil {
			other = l.source.FD()
		}
		l.wait = func(uint32) { shm.WaitEventfd(b.fd, other, l.naps) }
	}
	err := s.control(context.Background(), abi.StepWaiter, 0, func() error {
		no, ok := s.takeWaiter(kind)
		if !ok {
			return fmt.Errorf("all %d waiters are in use: %w", s.t.nrWaiters, ErrLimit)
		}
		l.waiterNo = no
		return nil
	})
	if err != nil {
		l.bell.shut()
		return nil, err
	}
	s.hang(l.waiterNo, l.bell)
	l.word = &s.waiters[l.waiterNo].Word
	l.wakes.mark = make([]bool, s.t.nrWaiters)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.now = shm.Monotonic()
	return l, nil
}

// Run serves on the calling goroutine until ctx ends; then it stops taking new requests, waits until
// the requests it has received are answered, and returns. Call once. The goroutine isn't to be locked
// to its thread: the runtime would wake two others whenever it lets somebody else run.
func (l *Loop) Run(ctx context.Context) error {
	defer oneProcessorMore()()
	stopped := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		defer close(stopped)
		l.stop()
	})
	defer func() {
		// What begins the end still touches the segment after it has let Run go on: nobody may
		// unmap it before that is over.
		if !forget() {
			<-stopped
		}
	}()
	for !l.finished() {
		if l.pending() {
			l.batch()
		} else {
			l.rest()
		}
	}
	l.publish()
	l.count()
	return nil
}

var processorsMu sync.Mutex

// oneProcessorMore lets one more goroutine of the process run at once, until the function that it
// returns is called: a loop keeps its processor while it naps, and leaves those of the machine to others.
func oneProcessorMore() (undo func()) {
	change := func(n int) {
		processorsMu.Lock()
		defer processorsMu.Unlock()
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + n)
	}
	change(1)
	return func() { change(-1) }
}

// stop begins the end of Run: peers are told to look for a successor.
func (l *Loop) stop() {
	for _, p := range l.portList() {
		p.stopListening()
	}
	l.stopping.Store(true)
	l.seg.wake(l.waiterNo)
}

// finished tells whether Run may return: nothing that was received is unanswered.
func (l *Loop) finished() bool {
	if l.abandoned.Load() {
		return true
	}
	if !l.stopping.Load() || l.mail.full.Load() {
		return false
	}
	for _, s := range l.served {
		if s.inFlight() != 0 {
			return false
		}
	}
	return true
}

// batch looks once at everything and serves what is there; false if there was nothing. Each ring
// is published once and each peer woken at most once.
func (l *Loop) batch() bool {
	now := shm.Monotonic()
	l.spin.began(now-l.now, l.handled)
	l.now, l.handled = now, 0
	work := l.mail.run()
	for _, c := range l.own {
		work = c.harvest() || work
	}
	if !l.stopping.Load() {
		for _, s := range l.served {
			work = s.drain() || work
		}
	}
	if l.sourceReady() {
		l.source.Work()
		work = true
	}
	if work {
		l.endBatch()
	}
	return work
}

// endBatch lets out what the batch has submitted and answered before the functions run that
// AtBatchEnd registered: they may take their time, in which others can work already.
func (l *Loop) endBatch() {
	if len(l.atEnd) > 0 {
		l.publish()
		for _, f := range l.atEnd {
			f()
		}
	}
	l.publish()
}

func (l *Loop) sourceReady() bool { return l.source != nil && l.source.Ready() }

// publish ends a batch: what was submitted and answered on the loop goes out, then the wakes.
func (l *Loop) publish() {
	for i, c := range l.unsubmitted {
		c.flush()
		l.unsubmitted[i] = nil
	}
	l.unsubmitted = l.unsubmitted[:0]
	now := int64(0)
	for i, s := range l.unpublished {
		if s.fresh != 0 && now == 0 { // the clock isn't free: only for those who need it
			now = shm.Monotonic()
		}
		s.flush(now)
		l.unpublished[i] = nil
	}
	l.unpublished = l.unpublished[:0]
	l.wakes.flush(l.seg)
	if l.now > l.countAt {
		l.count()
	}
}

// countEvery is how old the counters in the segment may get while the loop doesn't rest, in ns.
const countEvery = 1_000_000

// count brings the counters in the segment up to date.
func (l *Loop) count() {
	l.countAt = l.now + countEvery
	for _, p := range l.counting {
		p.tally.flush(&p.entry.Counters)
	}
	for _, c := range l.own {
		c.tally.flush(&c.entry.Counters)
	}
	for i, r := range l.counted {
		r.publish()
		l.counted[i] = nil
	}
	l.counted = l.counted[:0]
}

// pending tells whether a batch would find anything.
func (l *Loop) pending() bool {
	if l.mail.full.Load() {
		return true
	}
	for _, c := range l.own {
		if c.pending() {
			return true
		}
	}
	if l.stopping.Load() {
		return l.finished() || l.sourceReady()
	}
	return l.requested() || l.sourceReady()
}

// requested tells whether a ring that we serve has something.
func (l *Loop) requested() bool {
	for _, s := range l.served {
		if s.waiting() {
			return true
		}
	}
	return false
}

// owed tells whether there is work for which somebody wakes us: all that is pending, but for cancelled
// calls that the server has read past.
func (l *Loop) owed() bool {
	for _, c := range l.own {
		if c.view.AnyDone() {
			return true
		}
	}
	return l.mail.full.Load() || !l.stopping.Load() && l.requested()
}

// rest waits for work: spinning while that pays, then asleep.
func (l *Loop) rest() {
	l.yield()
	if l.spin.spin(l.pending) {
		return
	}
	l.count()
	begun := shm.Monotonic()
	forgotten := l.sleep()
	end := shm.Monotonic()
	if forgotten && end-begun > shm.WaitLimit.Nano() {
		// Never, but for work that came at this very moment: see docs/segment-layout.md, waiter.
		slog.Warn("work was there after a sleep that nobody ended", "waiter", l.waiterNo, "slept", time.Duration(end-begun))
	}
	l.spin.slept(end - begun)
	if l.naps = end-begun < shm.NapLimit.Nano(); !l.naps {
		l.yielded = end // the runtime had the processor meanwhile
	}
	l.tick(end)
}

// yieldEvery is how long the loop keeps its processor of the runtime at a stretch, in ns. The runtime
// takes it away from who keeps it for 10 ms: with a signal, or in the middle of a system call, and
// its watcher then looks every 20 µs for a while whether that happens again.
const yieldEvery = 8_000_000

// yield comes before that, at a time when there is nothing to do.
func (l *Loop) yield() {
	if l.now-l.yielded > yieldEvery {
		l.yielded = l.now
		runtime.Gosched()
	}
}

// sleep is the consumer's half of the wait word (see abi.Waiter): odd, look again, wait; after
// every return add 2 and look again; even to go on. It gives up after one wait in any case, so
// that the batch that follows looks at what has no wake-up of its own. It tells whether there was work
// for which nobody had woken it.
//
// Only we change the word by odd amounts, but whoever breaks the segment may have turned it round:
// the parity is looked at, not taken for granted.
func (l *Loop) sleep() (forgotten bool) {
	v := l.word.Add(1)
	if v&1 == 0 {
		v = l.word.Add(1)
	}
	if !l.pending() {
		l.wait(v)
		// The work before the word, or it could come, with its wake-up, between the two. Who was
		// woken, as nearly always, need not look for it at all.
		forgotten = l.word.Load() == v && l.owed() && l.word.Load() == v && !l.sourceReady()
		l.word.Add(2)
	}
	if l.word.Add(1)&1 != 0 {
		l.word.Add(1)
	}
	return forgotten
}

// tickEvery is how often what has no wake-up of its own is tried again.
const tickEvery = int64(time.Second)

// tick retries what ended for lack of memory, which nobody announces when it comes back.
func (l *Loop) tick(now int64) {
	if now < l.tickAt {
		return
	}
	l.tickAt = now + tickEvery
	for _, c := range l.own {
		c.retryRoom()
	}
	l.publish()
}

// Post runs f on the loop soon; functions run in the order in which they were posted. Any
// goroutine; doesn't block. After the loop has ended f isn't run.
func (l *Loop) Post(f func()) {
	l.mail.put(f)
	l.seg.wake(l.waiterNo)
}

// AtBatchEnd registers f to run on the loop after each batch, before it sleeps. What the batch has
// submitted and answered is out by then; what f submits and answers goes out after it. Before Run.
func (l *Loop) AtBatchEnd(f func()) { l.atEnd = append(l.atEnd, f) }

// Close gives ports, channels and the waiter back. After Run has returned (or never ran).
// Requests of ours that others still work on go on; their channels are given back when they end.
func (l *Loop) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	l.cancel()
	var errs []error
	for _, c := range l.channelList() {
		errs = append(errs, c.close())
	}
	for _, p := range l.portList() {
		errs = append(errs, p.unbind())
	}
	l.wg.Wait()
	l.seg.unhang(l.waiterNo, l.bell)
	errs = append(errs, l.seg.control(context.Background(), abi.StepWaiter, uint64(l.waiterNo),
		func() error { l.seg.giveWaiter(l.waiterNo); return nil }))
	return ignoreGone(errors.Join(errs...))
}

// ignoreGone: closing in a segment that was destroyed meanwhile has nothing left to do.
func ignoreGone(err error) error {
	if errors.Is(err, ErrNoSegment) {
		return nil
	}
	return err
}

func (l *Loop) portList() []*Port {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*Port(nil), l.ports...)
}

func (l *Loop) channelList() []*Channel {
	var all []*Channel
	for _, p := range l.portList() {
		p.mu.Lock()
		for c := range p.channels {
			all = append(all, c)
		}
		p.mu.Unlock()
	}
	return all
}
