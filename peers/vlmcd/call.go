package vlmcd

import (
	"errors"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// call is one operation at the blocker, of a piece, of a merge or of a flush.
type call struct {
	blocker.Op
	next   *call
	piece  *piece
	merge  *object
	synced *volume
}

// newCall returns a cleared call.
func (e *Engine) newCall() *call {
	c := e.freeCalls
	if c == nil {
		c = &call{}
		c.Done = func(*blocker.Op) { e.queueCall(c) }
		return c
	}
	e.freeCalls = c.next
	done := c.Done
	*c = call{}
	c.Done = done
	return c
}

// blockerCall submits one operation for p.
func (e *Engine) blockerCall(p *piece, op blocker.Op) {
	c := e.newCall()
	op.Done, op.Volume, op.Term = c.Done, p.vol.uuid, p.vol.info.Term
	c.Op, c.piece = op, p
	if copies(op.Kind) {
		p.enter(phaseCopy)
	} else if p.calls == 0 || p.phase != phaseCopy {
		p.enter(phaseData)
	}
	p.calls++
	e.underWay++
	e.cfg.Blocks.Submit(&c.Op)
}

// copies tells calls that read another object.
func copies(k blocker.Kind) bool { return k == blocker.Copy || k == blocker.Fill }

func (e *Engine) queueCall(c *call) {
	c.next = nil
	if e.lastCall == nil {
		e.calls = c
	} else {
		e.lastCall.next = c
	}
	e.lastCall = c
	e.run()
}

func (e *Engine) nextCall() *call {
	c := e.calls
	if c != nil {
		if e.calls = c.next; e.calls == nil {
			e.lastCall = nil
		}
	}
	return c
}

// callDone takes the result of a call; the last one of a piece lets it go on.
func (e *Engine) callDone(c *call) {
	p, o, v, err, missing := c.piece, c.merge, c.synced, c.Err, ""
	e.underWay--
	if blocker.Errno(err) == errNoObject {
		if missing = c.Name; copies(c.Kind) {
			missing = c.Source
		}
	}
	if c.Kind == blocker.Fill && errors.Is(err, blocker.ErrArgument) {
		e.fillInParts(p, c.Op)
		err = nil
	}
	c.next = e.freeCalls
	e.freeCalls = c
	switch {
	case o != nil:
		e.mergeCopied(o, err)
		return
	case v != nil:
		e.flushEnded(v, err)
		return
	}
	if err != nil && p.err == nil {
		p.err, p.lost = err, missing
	}
	e.released(p)
}

// released drops one hold on p; callers that make several calls hold it themselves meanwhile, so
// that it doesn't end between two of them.
func (e *Engine) released(p *piece) {
	p.calls--
	if p.calls == 0 {
		e.filled(p)
	}
}

// question is one operation at the mapper, and what to do with the answer.
type question struct {
	mapper.Op
	next   *question
	then   func(*Engine, *question)
	vol    *volume
	page   *page
	obj    *object
	client *Op
}

// ask submits a copy of q.
func (e *Engine) ask(q question) {
	n := e.freeAsks
	if n == nil {
		n = &question{}
		n.Done = func(*mapper.Op) { e.queueAnswer(n) }
	} else {
		e.freeAsks = n.next
	}
	q.Done = n.Done
	*n = q
	e.underWay++
	e.cfg.Mapper.Submit(&n.Op)
}

func (e *Engine) queueAnswer(q *question) {
	q.next = nil
	if e.lastAsk == nil {
		e.asked = q
	} else {
		e.lastAsk.next = q
	}
	e.lastAsk = q
	e.run()
}

func (e *Engine) nextAnswer() *question {
	q := e.asked
	if q != nil {
		if e.asked = q.next; e.asked == nil {
			e.lastAsk = nil
		}
	}
	return q
}

func (e *Engine) freeQuestion(q *question) {
	if q.Kind == mapper.MapRead {
		e.freeEntries = append(e.freeEntries, q.Entries[:cap(q.Entries)])
	}
	e.underWay--
	done := q.Done
	*q = question{next: e.freeAsks}
	q.Done = done
	e.freeAsks = q
}

// entries returns room for n entries of an answer.
func (e *Engine) entries(n int64) []mapfmt.Entry {
	if k := len(e.freeEntries); k > 0 {
		b := e.freeEntries[k-1]
		e.freeEntries = e.freeEntries[:k-1]
		return b[:n]
	}
	return make([]mapfmt.Entry, pageEntries)[:n]
}
