package nbdd

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// memory is a backend whose exports lie in memory, with as little room for IOs as a test wants.
type memory struct {
	exports map[string]*memExport
}

var errNoExport = errors.New("no such export")

func newMemory(exports ...*memExport) *memory {
	m := &memory{exports: make(map[string]*memExport)}
	for _, e := range exports {
		m.exports[e.info.Name] = e
	}
	return m
}

func (m *memory) Info(_ context.Context, name string) (Info, error) {
	if e := m.exports[name]; e != nil {
		return e.info, nil
	}
	return Info{}, errNoExport
}

func (m *memory) Open(_ context.Context, name string) (Export, error) {
	if e := m.exports[name]; e != nil {
		return e, nil
	}
	return nil, errNoExport
}

func (m *memory) List(_ context.Context, f func(name string) error) error {
	var names []string
	for n := range m.exports {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if err := f(n); err != nil {
			return err
		}
	}
	return nil
}

// memExport is one of them. IOs end inside Submit, or, with async, on a goroutine of their own
// that plays the backend's thread.
type memExport struct {
	info   Info
	data   []byte
	async  atomic.Pointer[worker]
	dataMu sync.Mutex   // of data: the race detector sees no order in what goes over a socket
	fail   atomic.Int32 // errno of every IO from now on

	flushes, fuas, zeroes, discards, writes atomic.Int64
	onLoop                                  atomic.Int64 // IOs that the loop submitted itself

	mu    sync.Mutex
	slots int // IOs that may be prepared at once
	used  int
	free  []*memIO
	room  chan struct{} // closed when room appears
}

func newExport(name string, size, slots int) *memExport {
	return &memExport{info: Info{Name: name, Size: uint64(size), MinBlock: 1}, data: make([]byte, size), slots: slots}
}

func (e *memExport) Info() Info { return e.info }

func (e *memExport) inUse() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.used
}

func (e *memExport) Prepare(op Op, fua bool, off uint64, n int) IO {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.used == e.slots {
		return nil
	}
	e.used++
	var io *memIO
	if k := len(e.free); k > 0 {
		io, e.free = e.free[k-1], e.free[:k-1]
	} else {
		io = &memIO{e: e}
	}
	io.op, io.fua, io.off, io.n, io.errno = op, fua, off, n, 0
	io.buf = io.buf[:0]
	if op == Read || op == Write {
		if cap(io.buf) < n {
			io.buf = make([]byte, n)
		}
		io.buf = io.buf[:n]
	}
	return io
}

func (e *memExport) PrepareWait(ctx context.Context, op Op, fua bool, off uint64, n int) (IO, error) {
	for {
		if io := e.Prepare(op, fua, off, n); io != nil {
			return io, nil
		}
		e.mu.Lock()
		if e.room == nil {
			e.room = make(chan struct{})
		}
		room := e.room
		full := e.used == e.slots
		e.mu.Unlock()
		if !full {
			continue
		}
		select {
		case <-room:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type memIO struct {
	e     *memExport
	op    Op
	fua   bool
	off   uint64
	n     int
	buf   []byte
	done  func()
	errno syscall.Errno
}

func (io *memIO) Data() []byte         { return io.buf }
func (io *memIO) Errno() syscall.Errno { return io.errno }

func (io *memIO) Submit(done func()) {
	io.done = done
	if w := io.e.async.Load(); w != nil {
		w.queue <- io
		return
	}
	io.run()
}

func (io *memIO) SubmitOnLoop(done func()) {
	io.e.onLoop.Add(1)
	io.Submit(done)
}

func (io *memIO) run() {
	if n := io.e.fail.Load(); n != 0 {
		io.errno = syscall.Errno(n)
	} else {
		io.work()
	}
	io.done()
}

func (io *memIO) work() {
	e := io.e
	if io.fua {
		e.fuas.Add(1)
	}
	e.dataMu.Lock()
	defer e.dataMu.Unlock()
	switch io.op {
	case Read:
		copy(io.buf, e.data[io.off:])
	case Write:
		e.writes.Add(1)
		copy(e.data[io.off:], io.buf)
	case WriteZeroes:
		e.zeroes.Add(1)
		clear(e.data[io.off:][:io.n])
	case Discard:
		e.discards.Add(1)
		clear(e.data[io.off:][:io.n])
	case Flush:
		e.flushes.Add(1)
	}
}

func (io *memIO) Put() {
	e := io.e
	e.mu.Lock()
	defer e.mu.Unlock()
	e.used--
	e.free = append(e.free, io)
	if e.room != nil {
		close(e.room)
		e.room = nil
	}
}

// worker is the serving thread of a backend: it ends IOs in batches, as long as it isn't held.
type worker struct {
	queue chan *memIO
	hold  sync.Mutex // held by a test that wants IOs to stay under way
	wg    sync.WaitGroup
}

func newWorker(batchEnd func()) *worker {
	w := &worker{queue: make(chan *memIO, 1024)}
	w.wg.Go(func() {
		for io := range w.queue {
			w.hold.Lock()
			io.run()
			for more := true; more; {
				select {
				case io, ok := <-w.queue:
					if more = ok; ok {
						io.run()
					}
				default:
					more = false
				}
			}
			w.hold.Unlock()
			batchEnd()
		}
	})
	return w
}

func (w *worker) stop() {
	close(w.queue)
	w.wg.Wait()
}

// Extents finds runs of zeros, in pages.
func (e *memExport) Extents(_ context.Context, off, n uint64, f func(Extent) bool) error {
	if errno := e.fail.Load(); errno != 0 {
		return syscall.Errno(errno)
	}
	const page = 4096
	for end := off + n; off < end; {
		stop := min(end, (off/page+1)*page)
		e.dataMu.Lock()
		x := Extent{Length: stop - off}
		if bytes.ContainsFunc(e.data[off:stop], func(r rune) bool { return r != 0 }) {
			x.Depth = 1 + uint32(e.data[off])%2
		}
		e.dataMu.Unlock()
		if !f(x) {
			return nil
		}
		off = stop
	}
	return nil
}
