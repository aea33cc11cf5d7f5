package vlmcd

import (
	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// awaitReload lets p wait for its object's entry, which is asked for again.
func (e *Engine) awaitReload(p *piece, o *object) {
	w := o.workOf()
	p.enter(phaseMap)
	w.loadWait.push(p)
	if !w.loading {
		e.reload(o)
	}
}

func (e *Engine) reload(o *object) {
	v, w := o.page.vol, o.work
	w.loading, w.loadAgain, w.overtaken = true, false, false
	e.ask(question{then: (*Engine).reloaded, vol: v, obj: o,
		Op: mapper.Op{Kind: mapper.MapRead, Volume: v.uuid, Name: v.info.Name, Index: o.index,
			Term: v.info.Term, Entries: e.entries(1)}})
}

func (e *Engine) reloaded(q *question) {
	v, o := q.vol, q.obj
	w := o.work
	w.loading = false
	if w.loadAgain {
		e.reload(o)
		return
	}
	err := q.Err
	if err == nil && !w.overtaken {
		if err = o.checkLoaded(v, &q.Entries[0]); err == nil {
			o.set(v, &q.Entries[0], v.readSeq())
		}
	}
	waiting := w.loadWait.take()
	if err != nil {
		e.refused(v, waiting, err)
	} else {
		e.wake(waiting)
	}
	o.tidy()
}

// checkLoaded is check for an entry that may be empty too.
func (o *object) checkLoaded(v *volume, entry *mapfmt.Entry) error {
	if entry.IsZero() {
		return nil
	}
	return o.check(v, entry)
}
