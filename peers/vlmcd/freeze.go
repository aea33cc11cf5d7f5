package vlmcd

import (
	"archipelago/peers/mapper"
)

var changeKinds = [...]mapper.Kind{
	Close: mapper.Close, Snapshot: mapper.Snapshot, Delete: mapper.Delete, Rename: mapper.Rename,
	Rollback: mapper.Rollback, Resize: mapper.Resize, Acquire: mapper.Acquire, Release: mapper.Release,
}

// isChange says that an operation needs a frozen volume.
func isChange(k Kind) bool {
	switch k {
	case Close, Snapshot, Delete, Rename, Rollback, Resize, Freeze, Thaw, Acquire, Release:
		return true
	}
	return false
}

// flushesFirst says that a change needs what was acknowledged in the map. Flushing before the
// freeze makes the freeze shorter.
func flushesFirst(k Kind) bool {
	return k == Close || k == Snapshot || k == Resize || k == Freeze || k == Release
}

// acceptChange takes a new map change. It needs the UUID first: requests in flight go by that.
func (e *Engine) acceptChange(op *Op) {
	if op.Volume == (UUID{}) {
		e.ask(question{then: (*Engine).changeNamed, client: op,
			Op: mapper.Op{Kind: mapper.InfoOf, Name: string(op.Name)}})
		return
	}
	if !e.routed(op) {
		return
	}
	v := e.volumeOf(op.Volume)
	op.vol = v
	switch {
	case op.Token != 0 && op.Kind != Freeze:
		e.endHold(op)
	case v.open && !v.frozen && flushesFirst(op.Kind):
		e.joinFlush(op)
	default:
		e.freeze(op)
	}
}

func (e *Engine) changeNamed(q *question) {
	op := q.client
	if q.Err != nil {
		e.finish(op, q.Err)
		return
	}
	op.Volume = q.Info.UUID
	e.acceptChange(op)
}

// freeze queues a map change and stops the volume for it.
func (e *Engine) freeze(op *Op) {
	v := op.vol
	op.enter(phaseWait)
	v.changes.push(op)
	v.frozen = true
	e.drained(v)
}

// refresh stops the volume to open it again: what is known of it is out of date.
func (e *Engine) refresh(v *volume) {
	v.frozen, v.refresh = true, true
}

// refreshFor parks p until the volume was opened again.
func (e *Engine) refreshFor(p *piece, cause error) {
	if e.tooOften(p, cause) {
		return
	}
	v := p.vol
	e.refresh(v)
	e.parkPiece(p)
	e.drained(v)
}

// drained goes on with a freeze when nothing rests on translations any more.
func (e *Engine) drained(v *volume) {
	if !v.frozen || v.running > 0 || v.changing || e.stopping {
		return
	}
	op := v.changes.pop()
	if op == nil {
		e.thaw(v)
		return
	}
	v.changing = true
	if op.Kind == Freeze {
		e.holdFrozen(op)
		return
	}
	e.forward(op)
}

// forward sends a map change to the mapper.
func (e *Engine) forward(op *Op) {
	v := op.vol
	op.enter(phaseMap)
	e.ask(question{then: (*Engine).changeAnswered, vol: v, client: op,
		Op: mapper.Op{Kind: changeKinds[op.Kind], Volume: v.uuid, Name: string(op.Name), Other: op.Other,
			Size: op.Size, RequestID: op.RequestID, Group: op.Group, Members: op.Members, Force: op.Force}})
}

func (e *Engine) changeAnswered(q *question) {
	v, op := q.vol, q.client
	v.changing = false
	if q.Err != nil {
		e.finish(op, q.Err) // the mapper names the volume
	} else {
		op.Info = q.Info
		if q.Info.UUID != (UUID{}) {
			op.Info.Port, _ = e.cfg.Route(q.Info.UUID)
		}
		e.noteName(op)
		e.meterChanged(v, op.Kind, &op.Info)
		e.finish(op, nil)
	}
	e.drained(v)
}

// thaw lets the volume go on, whatever became of the change: a failed one may have had effect.
// Nothing of the map is believed any more, not even the epoch.
func (e *Engine) thaw(v *volume) {
	e.dropTranslations(v)
	v.open, v.frozen, v.refresh = false, false, false
	e.resume(v)
	e.forget(v)
}
