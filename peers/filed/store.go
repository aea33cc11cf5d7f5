package filed

import (
	"fmt"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// UUID names a volume.
type UUID = blocker.UUID

const (
	// inlineMax is the largest read, write or copy that is served in Submit: the time of its copy is
	// then about that of a hand-over to another thread.
	inlineMax = 64 << 10
	stripes   = 256
)

// Store is a blocker.Store on files. Make it with Open.
type Store struct {
	disk    *disk
	dirs    *directories
	locks   *chains
	temps   *temps
	spare   *reserve // for any Replace
	last    *reserve // for those with FlagReserve
	pool    *pool
	cursors cursors
	log     *slog.Logger

	capacity     int // of the cache of descriptors
	writethrough bool
	direct       bool

	seed    maphash.Seed
	stripes [stripes]stripe

	mu      sync.Mutex
	objects map[string]*object
	lru     lru
	dirty   map[UUID]map[*object]struct{}

	unsynced lru // what is in dirty sets, by when it came there
	ahead    int // syncs of syncAhead that run or wait

	track     *tracker             // of what is dirty
	inherited map[string]*leftover // what a predecessor has left; after the recovery what is bad
	known     bool                 // inherited is all
	recovery  sync.Mutex
	recovered atomic.Bool
	lost      error // of the syncfs; belongs to recovery

	pace     syncPace
	inFlight atomic.Int64
	closed   atomic.Bool
	idle     chan struct{} // told when the last operation has ended after closed was set
}

var _ blocker.Store = (*Store)(nil)

// Submit runs op if it is quick, and hands it to the pool otherwise.
func (s *Store) Submit(op *blocker.Op) {
	op.N, op.Allocated, op.More, op.Err = 0, 0, false, nil
	if err := blocker.Check(op); err != nil {
		op.Err = err
		op.Done(op)
		return
	}
	// Counted before closed is looked at, and Close looks the other way round: one of the two sees
	// the other.
	s.inFlight.Add(1)
	if s.closed.Load() {
		s.finish(op, wrap(op.Name, "submit", blocker.ErrClosed))
		return
	}
	if s.quick(op) {
		op.Done(op)
		s.leave()
		return
	}
	s.pool.submit(task{op: op})
}

// quick serves op if that needs neither the disk nor an open; false if it hasn't.
func (s *Store) quick(op *blocker.Op) bool {
	if s.direct { // which always waits for the disk
		return false
	}
	if op.Kind == blocker.Sync {
		return s.syncAtOnce(op)
	}
	s.pace.others.Add(1)
	if len(op.Data) > inlineMax {
		return false
	}
	switch op.Kind {
	case blocker.Read:
		return s.readCached(op)
	case blocker.Write:
		return !s.mustSync(op) && s.writeCached(op)
	case blocker.Copy, blocker.Fill:
		return op.Length <= inlineMax && !s.mustSync(op) && s.copyCached(op)
	}
	return false
}

// Close waits for the operations that run and closes all files. It syncs nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	for s.inFlight.Load() > 0 {
		<-s.idle
	}
	s.pool.close()
	for _, o := range s.objects {
		unix.Close(o.fd)
	}
	s.track.setFlag(flagLost, false)
	s.track.close()
	s.cursors.close()
	s.closeFiles()
	return nil
}

func (s *Store) leave() {
	if s.inFlight.Add(-1) == 0 && s.closed.Load() {
		select {
		case s.idle <- struct{}{}:
		default: // it was told already
		}
	}
}

// finish ends an operation of the pool. No lock is held.
func (s *Store) finish(op *blocker.Op, err error) {
	s.logFailure(op, err)
	op.Err = err
	op.Done(op)
	s.leave()
}

// run is the pool's worker.
func (s *Store) run(t task) {
	if t.op == nil {
		s.runSync(t.object)
		return
	}
	if pending, err := s.serve(t.op); !pending {
		s.finish(t.op, err)
	}
}

// serve runs op, blocking. It returns true if a sync will end it.
func (s *Store) serve(op *blocker.Op) (bool, error) {
	switch op.Kind {
	case blocker.Read:
		return false, s.read(op)
	case blocker.Write:
		return s.write(op)
	case blocker.WriteZeroes:
		return s.writeZeroes(op)
	case blocker.Discard:
		return s.discard(op)
	case blocker.Copy:
		return s.copy(op)
	case blocker.Fill:
		return s.fill(op)
	case blocker.Sync:
		return s.sync(op)
	case blocker.Stat:
		return false, s.stat(op)
	case blocker.Create:
		return false, s.create(op)
	case blocker.Replace:
		return false, s.replace(op)
	case blocker.Append:
		return s.append(op)
	case blocker.TruncateTail:
		return s.truncateTail(op)
	case blocker.Delete:
		return false, s.delete(op)
	case blocker.List:
		return false, s.list(op)
	case blocker.LockRead:
		return false, s.locks.read(op)
	case blocker.LockAdvance:
		return false, s.locks.advance(op)
	}
	return false, fmt.Errorf("object %s: operation %d: %w", strings.Clone(op.Name), op.Kind,
		blocker.ErrArgument)
}
