package xseg

// A ghost is a request whose submitter is gone but that is still worked on. A client may have
// repeated it through another channel, and have overwritten it there: if the ghost landed last,
// an old write would win. So whatever concerns the same volume waits until its ghosts have ended.

// dispatch gives r to the handler, or parks it behind the ghosts of its volume. Loop.
func (p *Port) dispatch(r *Request) {
	if len(p.ghosts) != 0 && p.ghosts[r.volume] != 0 {
		p.park(r)
		return
	}
	p.handler(r)
}

// parked is a list of requests in the order in which they came.
type parked struct{ first, last *Request }

func (p *Port) park(r *Request) {
	r.parked = true
	q := p.parked[r.volume]
	if q.first == nil {
		q.first = r
	} else {
		q.last.next = r
	}
	q.last = r
	p.parked[r.volume] = q
}

// layGhost lets the volume's requests go on once the last ghost has ended, but for those whose
// own channel died meanwhile. Loop.
func (p *Port) layGhost(volume UUID) {
	if p.ghosts[volume]--; p.ghosts[volume] > 0 {
		return
	}
	delete(p.ghosts, volume)
	q := p.parked[volume]
	delete(p.parked, volume)
	for r := q.first; r != nil; {
		next := r.next
		r.next, r.parked = nil, false
		if !r.from.dead.Load() {
			p.dispatch(r)
		}
		r = next
	}
}
