package vlmcd

import (
	"slices"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// pageEntries is how many map entries are asked for at once, aligned, so that two questions never
// answer for the same object: an older answer can't come after a newer one. It divides a chunk.
const pageEntries = 64

// page holds the translations of pageEntries neighbours.
type page struct {
	vol     *volume
	no      int64
	objects [pageEntries]*object // nil: nothing is there, zeros
	loading bool
	waiters pieceList // while loading
	pins    int       // objects with work and writes in place: no answer could bring them back
	used    bool      // since the hand came by
	private bool      // for one piece, and found by no other
}

// translate gives p the translation of its object and goes on with it, at once or when it is known.
func (e *Engine) translate(p *piece) {
	v := p.vol
	if v.uncached() {
		e.translateOnce(p)
		return
	}
	pg := v.pages[p.index/pageEntries]
	if pg == nil {
		pg = e.load(v, p.index/pageEntries)
	}
	pg.used = true
	if pg.loading {
		p.enter(phaseMap)
		pg.waiters.push(p)
		return
	}
	o := pg.objects[p.index%pageEntries]
	if o != nil && o.stale {
		e.awaitReload(p, o)
		return
	}
	e.step(p, pg, o)
}

// load asks for a page that isn't there.
func (e *Engine) load(v *volume, no int64) *page {
	e.evict()
	pg := &page{vol: v, no: no, loading: true}
	v.pages[no] = pg
	e.pages = append(e.pages, pg)
	e.askPage(pg)
	return pg
}

// askPage asks the mapper for the entries of a page.
func (e *Engine) askPage(pg *page) {
	v, no := pg.vol, pg.no
	first := no * pageEntries
	count := min(pageEntries, mapfmt.ObjectCount(v.info.Size, v.objectSize)-first)
	e.ask(question{then: (*Engine).pageAnswered, vol: v, page: pg,
		Op: mapper.Op{Kind: mapper.MapRead, Volume: v.uuid, Name: v.info.Name, Index: first,
			Term: v.info.Term, Entries: e.entries(count)}})
}

func (e *Engine) pageAnswered(q *question) {
	pg := q.page
	pg.loading = false
	waiters := pg.waiters.take()
	err := q.Err
	if err == nil {
		err = e.fillPage(pg, q.Entries)
	}
	if err == nil && pg.private {
		e.stepOnce(pg, waiters.pop())
		return
	}
	if err == nil {
		pg.vol.backoff = 0
		e.wake(waiters)
		return
	}
	if !pg.private {
		e.dropPage(pg)
	}
	e.refused(pg.vol, waiters, err)
}

func (e *Engine) fillPage(pg *page, entries []mapfmt.Entry) error {
	v := pg.vol
	seq := v.readSeq()
	for i := range entries {
		entry := &entries[i]
		if entry.IsZero() {
			continue
		}
		o := &object{page: pg, index: pg.no*pageEntries + int64(i)}
		if err := o.check(v, entry); err != nil {
			return err
		}
		o.set(v, entry, seq)
		pg.objects[i] = o
	}
	return nil
}

// readSeq is the number of what was read from the mapper now: of the last commit, or, while one is
// under way whose effect may have been read, a new one, which no flush submitted so far covers.
func (v *volume) readSeq() uint64 {
	if v.commits > 0 {
		v.commitSeq++
	}
	return v.commitSeq
}

// refused deals with pieces whose question the mapper didn't answer.
func (e *Engine) refused(v *volume, l pieceList, err error) {
	for p := l.pop(); p != nil; p = l.pop() {
		switch {
		case needsRefresh(err):
			e.refreshFor(p, err)
		case mapper.Errno(err) == errAgain:
			e.again(p, err)
		default:
			e.endPiece(p, e.failure(p, err))
		}
	}
}

// evict makes room for a page: the first that wasn't used since the hand came by last time, and
// that nothing is under way on. If there is none the bound gives way: requests in flight are
// bounded elsewhere.
func (e *Engine) evict() {
	if len(e.pages) < e.cfg.MaxPages {
		return
	}
	for range 2 * len(e.pages) {
		if e.hand >= len(e.pages) {
			e.hand = 0
		}
		pg := e.pages[e.hand]
		if !pg.used && !pg.loading && pg.pins == 0 {
			e.dropPage(pg)
			return
		}
		pg.used = false
		e.hand++
	}
}

func (e *Engine) dropPage(pg *page) {
	delete(pg.vol.pages, pg.no)
	i := slices.Index(e.pages, pg)
	last := len(e.pages) - 1
	e.pages[i], e.pages[last] = e.pages[last], nil
	e.pages = e.pages[:last]
}

// dropTranslations forgets the map of a volume. Precondition: nothing runs on it.
func (e *Engine) dropTranslations(v *volume) {
	clear(v.pages)
	e.pages = slices.DeleteFunc(e.pages, func(pg *page) bool { return pg.vol == v })
}
