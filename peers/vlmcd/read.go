package vlmcd

import (
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// step goes on with a piece whose translation is known; o is nil where nothing is.
func (e *Engine) step(p *piece, pg *page, o *object) {
	named := p.lost != "" && o != nil && o.names(p.lost)
	if named && p.doubt {
		p.doubt = false
		o.stale = true
		e.awaitReload(p, o)
		return
	}
	if named {
		// The map was asked after the blocker had said that the object isn't there, and still
		// names it: data is missing, and zeros would be a lie.
		err := fmt.Errorf("object %s is in the map but not in the store: %w", p.lost, blocker.ErrNotFound)
		e.endPiece(p, e.failure(p, ioError(err)))
		return
	}
	p.lost, p.doubt, p.obj = "", false, o
	if p.op.Kind == Read {
		e.read(p)
		return
	}
	if o == nil {
		if p.op.Kind != Write {
			e.endUnneeded(p)
			return
		}
		o = &object{page: pg, index: p.index}
		pg.objects[p.index%pageEntries], p.obj = o, o
	}
	e.modify(p)
}

// read fills p.data: one call of the blocker for each run of sub-blocks that lie in one object.
func (e *Engine) read(p *piece) {
	o := p.obj
	if o == nil || len(o.levels) == 0 {
		clear(p.data)
		e.endPiece(p, nil)
		return
	}
	if o.levels[0].Mask == mapfmt.FullMask {
		e.blockerCall(p, blocker.Op{Kind: blocker.Read, Name: o.levels[0].name, Offset: p.off, Data: p.data})
		return
	}
	p.calls = 1
	for off, end := p.off, p.off+p.n; off < end; {
		lvl, until := o.run(p.vol, off, end)
		part := p.data[off-p.off : until-p.off]
		if lvl < 0 {
			clear(part)
		} else {
			e.blockerCall(p, blocker.Op{Kind: blocker.Read, Name: o.levels[lvl].name, Offset: off, Data: part})
		}
		off = until
	}
	e.released(p)
}

// filled goes on with a piece whose calls have all ended.
func (e *Engine) filled(p *piece) {
	err := p.err
	p.err = nil
	if p.writing {
		e.written(p)
	}
	switch {
	case err == nil && p.locked != 0:
		e.readyToCommit(p)
	case err == nil:
		e.endPiece(p, nil)
	default:
		e.callFailed(p, err)
	}
}

// callFailed decides whether a failed piece is tried again.
func (e *Engine) callFailed(p *piece, err error) {
	e.giveUpBirth(p)
	switch {
	case p.lost != "":
		e.askAfresh(p)
	case blocker.Errno(err) == errStale:
		e.refreshFor(p, err)
	default:
		e.endPiece(p, e.failure(p, blockerFailure(err)))
	}
}

// askAfresh asks the mapper again about the object of p, which names something that isn't there:
// the map may have changed since, as when a merged level was collected.
func (e *Engine) askAfresh(p *piece) {
	e.unlock(p)
	if e.tooOften(p, mapper.ErrStale) {
		return
	}
	e.runnable.push(p)
	pg := p.vol.pages[p.index/pageEntries]
	if pg == nil {
		return
	}
	// An answer that is under way may be older than what the blocker said.
	p.doubt = pg.loading
	if o := pg.objects[p.index%pageEntries]; o != nil {
		o.stale = true
		if o.work != nil && o.work.loading {
			o.work.loadAgain = true
		}
	}
}

// tooOften counts a new beginning of p, and ends it if there were too many.
func (e *Engine) tooOften(p *piece, cause error) bool {
	if p.tries++; p.tries <= maxTries {
		return false
	}
	err := fmt.Errorf("begun %d times: %w", p.tries, cause)
	e.endPiece(p, e.failure(p, ioError(err)))
	return true
}
