package vlmcd

import (
	"archipelago/internal/mapfmt"
)

// workState says how far the own object of an entry is that has none.
type workState uint8

const (
	unborn  workState = iota // no reservation
	asking                   // MAPW is at the mapper
	merging                  // a level is copied into the reserved object, then committed
	born                     // pieces may fill it
)

// work is what is under way on an object beside reads and writes in place: its sub-block locks, the
// own object that it gets, its commit, its reload. It pins the page and goes when it is idle.
type work struct {
	locked uint64    // sub-blocks that some piece holds
	queue  pieceList // want some that are held or wanted by others before them

	state    workState
	askFirst bool         // the last commit was stale: MAPW even if there is an own object
	reserved mapfmt.Level // merging, born: the own object, not committed yet
	name     string       // of it
	waiting  pieceList    // asking, merging: hold their locks
	dropper  *piece       // holds all sub-blocks, and takes the object out of the map
	merge    mergeState

	committing bool
	batch      pieceList // in the commit under way
	ready      pieceList // filled, for the next commit

	loading   bool // MAPR of this object alone is at the mapper
	loadAgain bool // its answer may be too old
	overtaken bool // a commit was answered meanwhile: the answer is too old
	loadWait  pieceList
}

// workOf returns o's work, made if there is none.
func (o *object) workOf() *work {
	if o.work == nil {
		o.work = &work{}
		o.page.pins++
	}
	return o.work
}

// tidy drops o's work if nothing is under way any more. A reservation that nobody wrote into, or
// whose writers have all failed, is forgotten with it: the next one gets a new name.
func (o *object) tidy() {
	w := o.work
	if w == nil || w.locked != 0 || w.loading || w.committing || w.state == asking || w.state == merging ||
		!w.queue.empty() || !w.loadWait.empty() {
		return
	}
	o.work = nil
	o.page.pins--
}

// lock takes the sub-blocks in need for p, all at once, or queues p; true if p holds them, and no
// others. Whoever came first is served first where they overlap, and no piece waits for a lock
// while it holds one, so there is no deadlock.
func (e *Engine) lock(p *piece, need uint64) bool {
	w := p.obj.workOf()
	if p.locked&need == need {
		if surplus := p.locked &^ need; surplus != 0 {
			p.locked = need
			w.locked &^= surplus
			e.grant(w)
		}
		return true
	}
	e.unlockIn(p, w)
	if need&(w.locked|w.wanted()) != 0 {
		p.wants = need
		p.enter(phaseLock)
		w.queue.push(p)
		return false
	}
	p.locked = need
	w.locked |= need
	return true
}

// wanted returns the sub-blocks that the queue waits for.
func (w *work) wanted() uint64 {
	var mask uint64
	for p := w.queue.head; p != nil; p = p.next {
		mask |= p.wants
	}
	return mask
}

// unlock lets p's locks go.
func (e *Engine) unlock(p *piece) {
	if p.locked == 0 {
		return
	}
	o := p.obj
	e.unlockIn(p, o.work)
	o.tidy()
}

func (e *Engine) unlockIn(p *piece, w *work) {
	if p.locked == 0 {
		return
	}
	if w.dropper == p {
		w.dropper = nil
	}
	w.locked &^= p.locked
	p.locked = 0
	e.grant(w)
}

// grant hands free locks to those in the queue that nobody before them stands in the way of.
func (e *Engine) grant(w *work) {
	queue := w.queue.take()
	taken := w.locked
	for p := queue.pop(); p != nil; p = queue.pop() {
		if p.wants&taken != 0 {
			w.queue.push(p)
		} else {
			p.locked = p.wants
			w.locked |= p.wants
			e.runnable.push(p)
		}
		taken |= p.wants
	}
}

// ownName and ownBirth are those of the object that the volume may write: the one in the entry, or
// the reserved one.
func (o *object) ownName() string {
	if o.own {
		return o.levels[0].name
	}
	return o.work.name
}

func (o *object) ownBirth() uint64 {
	switch {
	case o.own:
		return o.levels[0].Birth
	case o.work != nil && o.work.state == born:
		return o.work.reserved.Birth
	}
	return 0
}
