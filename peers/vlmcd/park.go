package vlmcd

import (
	"fmt"

	"archipelago/peers/mapper"
)

// parkOp lets op wait, outside the drain, until the volume is open and not frozen.
func (e *Engine) parkOp(op *Op) {
	v := op.vol
	op.parked = true
	op.enter(phaseWait)
	v.parkedOps.push(op)
	v.parked++
	e.reopen(v)
}

// reopen opens the volume if something waits for that and nothing is in the way.
func (e *Engine) reopen(v *volume) {
	if e.stopping || v.open || v.opening || v.frozen || v.timer || v.parked == 0 {
		return
	}
	name := e.nameOf(v)
	v.opening = true
	v.running++
	e.ask(question{then: (*Engine).openAnswered, vol: v,
		Op: mapper.Op{Kind: mapper.Open, Volume: v.uuid, Name: name}})
}

// nameOf is the name under which the volume is opened: the one that it was given here, or else that
// of the request that waits longest.
func (e *Engine) nameOf(v *volume) string {
	if name, ok := e.renamed[v.uuid]; ok {
		return name
	}
	return v.firstName()
}

// firstName is a name under which the volume may be opened. Each request brings one: they are
// tried in turn, so that a wrong one fails its own requests alone.
func (v *volume) firstName() string {
	if p := v.parkedPieces.head; p != nil {
		return string(p.op.Name)
	}
	return string(v.parkedOps.head.Name)
}

func (e *Engine) openAnswered(q *question) {
	v, err := q.vol, q.Err
	v.opening = false
	v.running--
	if err == nil {
		if err = checkInfo(&q.Info, v.uuid); err == nil {
			v.opened(q.Info)
			e.noteUncached(v)
			e.meterOpened(v)
		}
	}
	switch {
	case err == nil:
		e.resume(v)
	case mapper.Errno(err) == errAgain:
		e.failParked(v, err, func(op *Op) bool { return op.Flags&FlagNoWait != 0 })
		e.retryLater(v)
	case e.renamed[v.uuid] == q.Name:
		delete(e.renamed, v.uuid) // it was renamed again, or removed, behind this engine's back
		e.reopen(v)
	default:
		e.failParked(v, err, func(op *Op) bool { return string(op.Name) == q.Name })
		e.reopen(v)
	}
	e.drained(v)
	e.forget(v)
}

// resume lets everything that is parked go on: the pieces first, they are older.
func (e *Engine) resume(v *volume) {
	pieces, ops := v.parkedPieces.take(), v.parkedOps.take()
	v.parked = 0
	if !v.frozen && v.open && !e.stopping {
		e.unpark(v, pieces)
	} else {
		for p := pieces.pop(); p != nil; p = pieces.pop() {
			v.parkedPieces.push(p)
			v.parked++
		}
	}
	for op := ops.pop(); op != nil; op = ops.pop() {
		op.parked = false
		op.enter(phaseEngine)
		e.begin(op)
	}
	e.reopen(v)
}

// unpark gives parked pieces their turn, but for those that lie beyond the end by now.
func (e *Engine) unpark(v *volume, pieces pieceList) {
	for p := pieces.pop(); p != nil; p = pieces.pop() {
		v.running++
		p.enter(phaseEngine)
		end := p.index<<v.objectShift + p.off + p.n
		if end > v.info.Size {
			e.endPiece(p, e.failure(p, beyondEnd(p.op.Kind)))
			continue
		}
		// The volume may have grown: what was the end of it isn't any more.
		p.all = p.off == 0 && p.n == min(v.objectSize, v.info.Size-p.index<<v.objectShift)
		e.runnable.push(p)
	}
}

// failParked ends what is parked and chosen. The other operations stay as they are.
func (e *Engine) failParked(v *volume, err error, chosen func(*Op) bool) {
	pieces, ops := v.parkedPieces.take(), v.parkedOps.take()
	v.parked = 0
	for p := pieces.pop(); p != nil; p = pieces.pop() {
		if chosen(p.op) {
			v.running++
			e.endPiece(p, fmt.Errorf("volume %s: %w", p.op.Name, err))
			continue
		}
		v.parkedPieces.push(p)
		v.parked++
	}
	for op := ops.pop(); op != nil; op = ops.pop() {
		if !chosen(op) {
			v.parkedOps.push(op)
			v.parked++
			continue
		}
		op.parked = false
		e.abandon(op, fmt.Errorf("volume %s: %w", op.Name, err))
	}
}

// abandon ends an operation that was parked: at once, or when its last piece has ended.
func (e *Engine) abandon(op *Op, err error) {
	if op.Err == nil {
		op.Err = err
	}
	if op.live == 0 {
		e.finish(op, nil)
	}
}

// retryLater tries again what is parked after a while. The mapper gives no sign when it could
// answer again, so the waits grow, up to a bound that a hand-over between nodes doesn't notice.
func (e *Engine) retryLater(v *volume) {
	if v.timer || e.stopping {
		return
	}
	v.timer = true
	v.backoff = min(max(2*v.backoff, minBackoff), maxBackoff)
	e.cfg.After(v.backoff, func() {
		v.timer = false
		e.wakeVolume(v)
	})
}

// wakeVolume is the end of a wait. It comes from outside the loop of events.
func (e *Engine) wakeVolume(v *volume) {
	e.event(func() {
		if v.open && !v.frozen && v.uncached() {
			e.refresh(v) // a write waits: the lock may be free by now
			e.drained(v)
		} else if v.open && !v.frozen {
			e.resume(v)
		} else {
			e.reopen(v)
		}
		e.forget(v)
	})
}

// again parks p because the mapper can't answer now.
func (e *Engine) again(p *piece, err error) {
	if p.op.Flags&FlagNoWait != 0 {
		e.endPiece(p, e.failure(p, err))
		return
	}
	v := p.vol
	e.parkPiece(p)
	e.retryLater(v)
	e.drained(v)
}
