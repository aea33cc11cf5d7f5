package filed

import (
	"sync"

	"archipelago/peers/blocker"
)

// task is an operation, or the sync of an object.
type task struct {
	op     *blocker.Op
	object *object
}

// pool runs what may block. Half of its workers serve operations only, so that a Sync of many
// objects doesn't hold up reads and writes.
type pool struct {
	run func(task)

	mu       sync.Mutex
	forOps   sync.Cond // a worker that serves operations only waits for one
	forAny   sync.Cond // a worker that serves both waits
	idleOps  int
	idleAny  int
	ops      queue
	syncs    queue
	closed   bool
	finished sync.WaitGroup
}

// newPool starts a pool of 2*half workers.
func newPool(half int, run func(task)) *pool {
	p := &pool{run: run}
	p.forOps.L, p.forAny.L = &p.mu, &p.mu
	for range half {
		p.finished.Go(p.serveOps)
		p.finished.Go(p.serveAny)
	}
	return p
}

// submit queues a task. It doesn't block.
func (p *pool) submit(t task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.op == nil {
		p.syncs.push(t)
		p.forAny.Signal()
		return
	}
	p.ops.push(t)
	if p.idleOps > 0 {
		p.forOps.Signal()
	} else if p.idleAny > 0 {
		p.forAny.Signal()
	}
}

// close ends the workers. Precondition: nothing is queued any more.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.forOps.Broadcast()
	p.forAny.Broadcast()
	p.mu.Unlock()
	p.finished.Wait()
}

func (p *pool) serveOps() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for p.ops.len == 0 {
			if p.closed {
				return
			}
			p.idleOps++
			p.forOps.Wait()
			p.idleOps--
		}
		p.serve(&p.ops)
	}
}

func (p *pool) serveAny() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for p.ops.len == 0 && p.syncs.len == 0 {
			if p.closed {
				return
			}
			p.idleAny++
			p.forAny.Wait()
			p.idleAny--
		}
		if p.syncs.len > 0 {
			p.serve(&p.syncs)
		} else {
			p.serve(&p.ops)
		}
	}
}

// serve runs one task of q. The lock is held, but not meanwhile.
func (p *pool) serve(q *queue) {
	t := q.pop()
	p.mu.Unlock()
	p.run(t)
	p.mu.Lock()
}

// queue is a ring of tasks that grows with need and keeps its room.
type queue struct {
	ring []task
	head int
	len  int
}

func (q *queue) push(t task) {
	if q.len == len(q.ring) {
		grown := make([]task, max(64, 2*len(q.ring)))
		n := copy(grown, q.ring[q.head:])
		copy(grown[n:], q.ring[:q.head])
		q.ring, q.head = grown, 0
	}
	q.ring[(q.head+q.len)%len(q.ring)] = t
	q.len++
}

func (q *queue) pop() task {
	t := q.ring[q.head]
	q.ring[q.head] = task{}
	q.head = (q.head + 1) % len(q.ring)
	q.len--
	return t
}
