package vlmcd

import (
	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// readyToCommit takes a piece whose bytes are all in the own object.
func (e *Engine) readyToCommit(p *piece) {
	o := p.obj
	p.enter(phaseCommit)
	o.work.ready.push(p)
	e.commit(o)
}

// commit sends one COMMIT for all pieces that are ready. One at a time per object: the levels that
// it names must be those of the present entry, which the answer to the one before tells.
//
// The first commit of an object that replaces nothing says that it is complete, whatever was
// written so far: its holes are the zeros that readers saw before. Pieces that are still filling
// it lose nothing by that; they end when their bytes are there and this commit was answered.
func (e *Engine) commit(o *object) {
	w := o.work
	if w == nil || w.committing {
		return
	}
	e.sortReady(o)
	if w.ready.empty() {
		return
	}
	v := o.page.vol
	w.batch = w.ready.take()
	mask := uint64(0)
	for p := w.batch.head; p != nil; p = p.next {
		mask |= p.locked
	}
	entry := o.committed(mask)
	e.sendCommit(v, o, entry.Normalize(v.objectSize))
}

// committed returns the entry that o has with mask present in its own object.
func (o *object) committed(mask uint64) mapfmt.Entry {
	entry := o.entry()
	if o.own {
		entry.Levels[0].Mask |= mask
		return entry
	}
	if entry.IsZero() {
		mask = mapfmt.FullMask
	}
	copy(entry.Levels[1:], entry.Levels[:entry.NumLevels])
	entry.NumLevels++
	entry.Levels[0] = o.work.reserved
	entry.Levels[0].Mask = mask
	return entry
}

func (e *Engine) sendCommit(v *volume, o *object, entry mapfmt.Entry) {
	o.work.committing = true
	v.commits++
	e.ask(question{then: (*Engine).commitAnswered, vol: v, obj: o,
		Op: mapper.Op{Kind: mapper.Commit, Volume: v.uuid, Name: v.info.Name, Index: o.index,
			Term: v.info.Term, Entry: entry}})
}

func (e *Engine) commitAnswered(q *question) {
	v, o := q.vol, q.obj
	w := o.work
	w.committing = false
	v.commits--
	v.commitSeq++
	err := q.Err
	if err == nil {
		err = o.check(v, &q.Entry)
	}
	if err != nil {
		e.commitRefused(o, err)
		return
	}
	o.set(v, &q.Entry, v.commitSeq)
	w.overtaken = w.loading
	merged := w.state == merging
	w.state = unborn
	if merged {
		e.wake(w.waiting.take())
		return
	}
	e.noteCopyUp(o)
	e.endBatch(o)
	e.commit(o)
	o.tidy()
}

// endBatch ends the pieces of a commit that was answered well.
func (e *Engine) endBatch(o *object) {
	batch := o.work.batch.take()
	for p := batch.pop(); p != nil; p = batch.pop() {
		if p.locked&^o.present() != 0 || o.ownBirth() != p.birth {
			e.endPiece(p, e.failure(p, badAnswer("the commit left something out")))
			continue
		}
		e.endCommitted(p)
	}
}

// endCommitted ends a piece whose sub-blocks are present.
func (e *Engine) endCommitted(p *piece) {
	if p.op.Flags&FlagFUA != 0 {
		p.op.needFlush = true
	}
	e.endPiece(p, nil)
}

// sortReady ends the ready pieces whose sub-blocks are all present by now, and sends those back
// that were filled into an object that won't be the volume's.
func (e *Engine) sortReady(o *object) {
	w := o.work
	ready := w.ready.take()
	for p := ready.pop(); p != nil; p = ready.pop() {
		switch {
		case p.locked&^o.present() == 0 && o.ownBirth() == p.birth:
			e.endCommitted(p)
		case o.ownBirth() != p.birth:
			if !e.tooOften(p, mapper.ErrStale) {
				e.runnable.push(p)
			}
		default:
			w.ready.push(p)
		}
	}
}

// commitRefused sends the pieces back to the start, or ends them. Either way the entry is asked for
// again before anything else is done with the object.
func (e *Engine) commitRefused(o *object, err error) {
	w := o.work
	o.stale = true
	w.askFirst = mapper.Errno(err) == errStale
	waiting, batch, ready := w.waiting.take(), w.batch.take(), w.ready.take()
	w.state = unborn
	for _, l := range []pieceList{waiting, batch} {
		if mapper.Errno(err) == errStale {
			e.startOver(l, err)
		} else {
			e.refused(o.page.vol, l, err)
		}
	}
	e.wake(ready)
	o.tidy()
}

// startOver gives pieces their turn again, with their locks, unless they had too many.
func (e *Engine) startOver(l pieceList, cause error) {
	for p := l.pop(); p != nil; p = l.pop() {
		if !e.tooOften(p, cause) {
			e.runnable.push(p)
		}
	}
}
