package filed

import (
	"fmt"
	"sync"
	"time"

	"archipelago/peers/blocker"
)

// syncRun is one sync of one object, and what waits for it.
type syncRun struct {
	mark mark // once it runs
	jobs []*syncJob
	done chan struct{}

	ahead bool // nobody had asked for it when it was scheduled: see syncAhead
}

// syncJob is an operation that ends when a number of syncs have. Belongs to Store.mu.
type syncJob struct {
	op   *blocker.Op
	left int
	err  error
}

// sync serves Sync. It returns true if op ends later.
func (s *Store) sync(op *blocker.Op) (bool, error) {
	if err := s.recover(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := &syncJob{op: op, err: s.badHeirloom(op)}
	if op.Name != "" {
		if o := s.objects[op.Name]; o != nil {
			s.join(o, j)
		}
	} else {
		for o := range s.dirty[op.Volume] {
			s.join(o, j)
		}
	}
	if j.left > 0 {
		return true, nil
	}
	return false, j.err
}

// join makes j wait for a sync of o that covers all changes that have ended. s.mu is held.
func (s *Store) join(o *object, j *syncJob) {
	if !o.dirty() {
		return
	}
	j.left++
	if r := o.running; r != nil && o.coveredBy(r.mark) {
		r.jobs = append(r.jobs, j)
		return
	}
	if o.next == nil {
		o.next = &syncRun{done: make(chan struct{})}
		if o.running == nil {
			s.schedule(o)
		}
	}
	o.next.jobs = append(o.next.jobs, j)
}

// schedule has o.next run on the pool; it holds a reference meanwhile. s.mu is held.
func (s *Store) schedule(o *object) {
	o.refs++
	s.pool.submit(task{object: o})
}

// syncHere syncs o on this goroutine, or waits for the sync that runs. s.mu is held, but not
// meanwhile.
func (s *Store) syncHere(o *object) {
	o.refs++
	if r := o.running; r != nil {
		s.mu.Unlock()
		<-r.done
		s.mu.Lock()
	} else {
		r := &syncRun{done: make(chan struct{})}
		s.runLocked(o, r)
	}
	s.unrefLocked(o)
}

// runSync is the pool's part of schedule.
func (s *Store) runSync(o *object) {
	s.mu.Lock()
	r := o.next
	if r == nil || o.running != nil {
		// Somebody else syncs o just now and schedules again when he is done.
		s.unrefLocked(o)
		s.mu.Unlock()
		return
	}
	o.next = nil
	s.runLocked(o, r)
	s.unrefLocked(o)
	s.mu.Unlock()
}

// runLocked makes o durable, or fails if it is bad: an object that is bad is dirty until it is
// rewritten, so that every sync of it comes here. s.mu is held, but not meanwhile.
func (s *Store) runLocked(o *object, r *syncRun) {
	r.mark = o.mark()
	o.written = 0
	o.running = r
	err := o.bad
	s.mu.Unlock()
	if err == nil {
		if err = s.syncFile(o); err != nil {
			s.log.Error("object is bad: its sync failed", "object", o.name, "error", err)
		}
	}
	s.mu.Lock()
	o.running = nil
	if err != nil {
		s.setBad(o, err)
		err = syncFailed(o, err)
	} else {
		o.synced(r.mark)
		if !o.dirty() {
			s.undirty(o)
		}
	}
	close(r.done)
	if r.ahead {
		s.ahead--
		s.syncAhead()
	}
	if o.next != nil {
		s.schedule(o)
	}
	s.endJobs(r.jobs, err)
}

func syncFailed(o *object, err error) error {
	return wrap(o.name, "sync", fmt.Errorf("%w: %w", blocker.ErrBad, err))
}

// syncFile makes a file durable, and then the names that lead to it.
func (s *Store) syncFile(o *object) error {
	begun := time.Now()
	defer func() { s.pace.took(time.Since(begun)) }()
	if err := s.disk.fdatasync(o.fd, o.path); err != nil {
		return err
	}
	return s.dirs.sync(o.path)
}

// endJobs tells those who waited. s.mu is held, but not while an operation ends.
func (s *Store) endJobs(jobs []*syncJob, err error) {
	for _, j := range jobs {
		if err != nil {
			j.fail(err)
		}
		j.left--
		if j.left > 0 {
			continue
		}
		s.mu.Unlock()
		s.finish(j.op, j.err)
		s.mu.Lock()
	}
}

func (j *syncJob) fail(err error) {
	if j.err == nil {
		j.err = err
	}
}

// stripe is a mutex with room around it: neighbours are taken by different threads.
type stripe struct {
	sync.Mutex
	_ [56]byte
}
