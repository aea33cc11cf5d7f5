package vlmcd

import (
	"fmt"
	"math/rand/v2"

	"archipelago/peers/mapper"
)

// A snapshot of several volumes at one point in time needs a moment at which all of them are
// frozen. Their threads know nothing of each other: whoever wants it freezes every volume, and only
// when all are frozen asks for the snapshots. The token that each freeze has tells whether it has
// lasted from then to now: an engine that was killed, or didn't want to wait any longer, knows it
// no more.

// holdFrozen answers Freeze: the volume is drained and stays so for a while.
func (e *Engine) holdFrozen(op *Op) {
	v := op.vol
	token := rand.Uint64() | 1 // never 0, and never that of an engine before
	v.hold, op.Token = token, token
	e.cfg.After(e.cfg.MaxFreeze, func() {
		e.event(func() { e.releaseHold(v, token) })
	})
	e.finish(op, nil)
}

// endHold takes the snapshot of a held volume, or lets it go.
func (e *Engine) endHold(op *Op) {
	v := op.vol
	switch {
	case op.Kind == Thaw:
		e.releaseHold(v, op.Token)
		e.finish(op, nil)
	case v.hold != op.Token:
		e.finish(op, fmt.Errorf("volume %s: the freeze for the snapshot has ended: %w", op.Name, mapper.ErrStale))
	default:
		v.hold = 0 // from here on the answer of the mapper ends the freeze
		e.forward(op)
		return
	}
	e.forget(v)
}

// releaseHold lets a volume go on whose snapshot didn't come.
func (e *Engine) releaseHold(v *volume, token uint64) {
	if v.hold != token {
		return
	}
	v.hold, v.changing = 0, false
	e.drained(v)
}

// event runs f as the loop of events runs its handlers: for what comes from outside of it.
func (e *Engine) event(f func()) {
	busy := e.running
	e.running = true
	f()
	e.running = busy
	e.run()
}

// noteName remembers under which name a volume is to be opened from now on: requests go on coming
// under the old one from clients that know nothing of the change.
func (e *Engine) noteName(op *Op) {
	switch op.Kind {
	case Rename:
		e.renamed[op.vol.uuid] = op.Other
	case Delete:
		delete(e.renamed, op.vol.uuid)
	}
}
