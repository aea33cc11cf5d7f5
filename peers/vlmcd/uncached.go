package vlmcd

import (
	"fmt"
	"slices"

	"archipelago/peers/mapper"
)

// uncached says that another node may change the volume. Then each piece asks the mapper for its
// own translation, after it has come: so it sees what the owner had stored by then. Nothing is kept
// when nothing is under way. Writes wait until this node has the lock.
func (v *volume) uncached() bool { return v.info.Flags&mapper.FlagUncached != 0 }

// translateOnce is translate for a volume of which nothing may be remembered.
func (e *Engine) translateOnce(p *piece) {
	if p.op.modifies() { // from when this node had the lock
		e.again(p, mapper.ErrAgain)
		return
	}
	pg := &page{vol: p.vol, no: p.index / pageEntries, loading: true, private: true}
	pg.waiters.push(p)
	e.askPage(pg)
}

// stepOnce goes on with the one piece of a private page. Its entry is younger than whatever the
// blocker said before.
func (e *Engine) stepOnce(pg *page, p *piece) {
	p.doubt = false
	e.step(p, pg, pg.objects[p.index%pageEntries])
}

// awaitLock parks a write until the volume was opened again, which tries to take the lock.
func (e *Engine) awaitLock(op *Op) {
	if op.Flags&FlagNoWait != 0 {
		e.abandon(op, fmt.Errorf("volume %s: locked by node %s: %w", op.Name, op.vol.info.Owner, mapper.ErrAgain))
		return
	}
	e.parkOp(op)
	e.retryLater(op.vol)
}

// noteUncached remembers which volumes to close as soon as nothing runs on them.
func (e *Engine) noteUncached(v *volume) {
	if v.uncached() && !slices.Contains(e.guests, v) {
		e.guests = append(e.guests, v)
	}
}

// closeUncached closes the volumes of which nothing may be remembered and on which nothing runs:
// the next request finds the size as it is then, and the lock, if the owner has freed it. It says
// whether there was one. Not inside an event.
func (e *Engine) closeUncached() (closed bool) {
	left := e.guests[:0]
	for _, v := range e.guests {
		switch {
		case !v.open || !v.uncached(): // it was opened again
		case v.running > 0 || v.frozen || e.stopping:
			left = append(left, v)
		default:
			v.open, closed = false, true
			e.reopen(v)
			e.forget(v)
		}
	}
	clear(e.guests[len(left):])
	e.guests = left
	return closed
}
