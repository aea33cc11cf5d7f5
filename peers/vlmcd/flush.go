package vlmcd

import (
	"fmt"

	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// joinFlush lets op wait for a flush that covers all that was acknowledged so far: the next one to
// be sent. One at a time is at the mapper; what comes meanwhile shares the one after it.
func (e *Engine) joinFlush(op *Op) {
	v := op.vol
	v.running++
	op.enter(phaseFlush)
	v.flushNext.push(op)
	if !v.flushing {
		e.sendFlush(v)
	}
}

func (e *Engine) sendFlush(v *volume) {
	v.flushNow = v.flushNext.take()
	v.flushing, v.flushSeq = true, v.commitSeq
	if v.mapIsDurable() {
		e.syncData(v)
		return
	}
	name, ok := e.renamed[v.uuid]
	if !ok {
		name = string(v.flushNow.head.Name)
	}
	e.ask(question{then: (*Engine).flushAnswered, vol: v,
		Op: mapper.Op{Kind: mapper.Flush, Volume: v.uuid, Name: name}})
}

// mapIsDurable says that every entry that was committed, or read, is covered by a good flush: what
// was acknowledged since went into objects that the durable map names.
func (v *volume) mapIsDurable() bool { return v.open && !v.uncached() && v.commitSeq <= v.flushed }

// syncData is a flush without the mapper, which would do the same and find nothing to store.
func (e *Engine) syncData(v *volume) {
	c := e.newCall()
	c.Op = blocker.Op{Kind: blocker.Sync, Volume: v.uuid, Term: v.info.Term, Done: c.Done}
	c.synced = v
	e.underWay++
	e.cfg.Blocks.Submit(&c.Op)
}

func (e *Engine) flushAnswered(q *question) { e.flushEnded(q.vol, q.Err) }

func (e *Engine) flushEnded(v *volume, err error) {
	v.flushing = false
	if err == nil {
		v.flushed = max(v.flushed, v.flushSeq)
	}
	covered := v.flushNow.take()
	if !v.flushNext.empty() {
		e.sendFlush(v)
	}
	for op := covered.pop(); op != nil; op = covered.pop() {
		v.running--
		e.afterFlush(op, err)
	}
	e.drained(v)
	e.forget(v)
}

// afterFlush goes on with an operation that waited for a flush.
func (e *Engine) afterFlush(op *Op, err error) {
	op.enter(phaseEngine)
	switch {
	case isChange(op.Kind):
		// Flushing before the freeze only makes it shorter: the mapper flushes the rest under it,
		// and tells if that fails.
		e.freeze(op)
	case err != nil && needsRefresh(err) && op.tries < maxTries:
		// A mapper that was restarted knows the volume only when it is opened again.
		op.tries++
		op.reopen = true
		if op.vol.open {
			e.refresh(op.vol)
		}
		e.parkOp(op)
	case err != nil:
		e.finish(op, fmt.Errorf("flush volume %s: %w", op.Name, err))
	case op.Kind == Flush || op.closing:
		e.finish(op, nil)
	default:
		op.flushed = true
		e.begin(op)
	}
}
