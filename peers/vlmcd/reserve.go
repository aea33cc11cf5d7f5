package vlmcd

import (
	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// reserve gets an own object for p's; p holds its locks meanwhile. The pieces that come while the
// question is at the mapper share the answer: one object gets one birth.
func (e *Engine) reserve(p *piece) {
	v, o := p.vol, p.obj
	w := o.work
	p.enter(phaseReserve)
	w.waiting.push(p)
	if w.state != unborn {
		return
	}
	w.state = asking
	e.ask(question{then: (*Engine).reserved, vol: v, obj: o,
		Op: mapper.Op{Kind: mapper.MapWrite, Volume: v.uuid, Name: v.info.Name, Index: o.index, Term: v.info.Term}})
}

func (e *Engine) reserved(q *question) {
	v, o := q.vol, q.obj
	w := o.work
	w.state = unborn
	err := q.Err
	if err == nil {
		err = o.checkReserved(v, &q.Entry)
	}
	if err != nil {
		e.refused(v, w.waiting.take(), err)
		o.tidy()
		return
	}
	v.backoff, w.askFirst = 0, false
	entry := q.Entry.Normalize(v.objectSize)
	switch {
	case entry.Levels[0].Mask != 0:
		// It is there already: committed before a restart, by a request that is repeated now.
		o.set(v, &entry, v.readSeq())
	case entry.NumLevels > mapfmt.MaxLevels && w.dropper == nil:
		e.bear(o, &entry)
		e.merge(o, &entry)
		return
	default:
		e.bear(o, &entry)
		w.state = born
	}
	e.wake(w.waiting.take())
}

// checkReserved refuses an answer to MAPW that can't be used.
func (o *object) checkReserved(v *volume, entry *mapfmt.Entry) error {
	err := entry.CheckAnswer()
	if err == nil && entry.NumLevels > 0 && entry.Levels[0].Mask != 0 {
		err = entry.Check()
	}
	if err != nil {
		return badAnswer("volume %s, object %d: %v", v.info.Name, o.index, err)
	}
	if !entry.IsOwn(v.uuid, v.info.Epoch) {
		return mapper.ErrStale
	}
	return o.checkUse(v, entry)
}

// bear keeps the reserved object apart, and what lies below it as the translation: until the
// commit readers go there.
func (e *Engine) bear(o *object, entry *mapfmt.Entry) {
	w := o.work
	w.reserved = entry.Levels[0]
	w.name = mapfmt.ObjectName(mapfmt.ObjectOf(o.index, w.reserved))
	o.setLevels(entry.Levels[1:entry.NumLevels], entry)
	o.own, o.stale = false, false
}

// giveUpBirth forgets the reservation after a failed write into an object that replaces nothing:
// it would be committed as complete, and what the failed write left would show later, when another
// write commits it. Those that are filling it meet another birth and start again.
func (e *Engine) giveUpBirth(p *piece) {
	o := p.obj
	if p.locked == 0 || o.own || len(o.levels) > 0 {
		return
	}
	w := o.work
	if w.state == born && !w.committing && w.reserved.Birth == p.birth {
		w.state = unborn
	}
}
