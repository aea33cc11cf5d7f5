package ring

func (m *Model) clientPending(s *state, c int) bool {
	p, e := &s.cl[c], &s.ext[c]
	return e.bits != 0 || p.cancelled() && e.head != p.seenHead || p.shake == shakeReady || m.more(p, c)
}

// more tells whether the user has a request to send, and there is room for it.
func (m *Model) more(p *client, c int) bool {
	return p.known && p.sent < m.cfg.Requests[c] && p.freeSlot() >= 0
}

func (p *client) cancelled() bool {
	for i := range p.calls {
		if p.calls[i].phase == callCancelled {
			return true
		}
	}
	return false
}

func (p *client) freeSlot() int {
	for i := range p.calls {
		if p.calls[i].phase == callFree {
			return i
		}
	}
	return -1
}

// clientSteps are those of a submitter's thread, and of those who give requests up.
func (m *Model) clientSteps(c int) {
	s := m.from
	p := &s.cl[c]
	if p.w.at != awake {
		if p.pc == atLook {
			m.cancelSteps(c)
		}
		return
	}
	at := func(text string, f func(s *state, p *client, e *extent)) {
		m.do("submitter %d "+text, c, int(p.cur), func(s *state) { f(s, &s.cl[c], &s.ext[c]) })
	}
	switch p.pc {
	case atLook:
		m.lookSteps(c)
		m.cancelSteps(c)
	case atState:
		at("stages slot %d", func(s *state, p *client, e *extent) { m.stage(p, e, int(p.cur)); p.pc = atEntry })
	case atEntry:
		if m.fault(TailBeforeEntry) {
			at("publishes slot %d", func(s *state, p *client, e *extent) { p.tail++; e.tail = p.tail; p.pc = atTail })
			return
		}
		at("writes the entry of slot %d", func(s *state, p *client, e *extent) { m.enter(p, e, int(p.cur), p.tail); p.tail++; p.pc = atTail })
	case atTail:
		if m.fault(TailBeforeEntry) {
			at("writes the entry of slot %d", func(s *state, p *client, e *extent) { m.enter(p, e, int(p.cur), p.tail-1); p.pc = atWord })
			return
		}
		at("publishes slot %d", func(s *state, p *client, e *extent) { e.tail = p.tail; p.pc = atWord })
	case atWord:
		at("moves the server's word", func(s *state, p *client, _ *extent) {
			p.pc = atLook
			if p.shake == shakeLive && m.moveWord(s, &s.srv.w, &p.woke) {
				p.pc = atFutex
			}
		})
	case atFutex:
		at("wakes the server", func(s *state, p *client, _ *extent) { s.srv.w.wake(); p.pc = atLook })
	case atReset:
		at("empties its rings", func(s *state, p *client, e *extent) { m.rewind(p, e); p.pc = atPush })
	case atPush:
		at("pushes again", func(s *state, p *client, e *extent) { m.pushAgain(s, c, p, e); p.pc = atLook })
	}
}

// lookSteps are a batch.
func (m *Model) lookSteps(c int) {
	s := m.from
	p := &s.cl[c]
	switch {
	case p.shake == shakeReady:
		m.do("submitter %d prepares", c, 0, func(s *state) { s.cl[c].pc = atReset })
	case s.ext[c].bits != 0 || p.cancelled() && s.ext[c].head != p.seenHead:
		m.do("submitter %d harvests", c, 0, func(s *state) { m.harvest(s, c) })
	case m.more(p, c):
		m.do("submitter %d begins request %d", c, int(p.sent+1), func(s *state) {
			p := &s.cl[c]
			i := p.freeSlot()
			p.sent++
			p.calls[i].req, p.cur, p.pc = p.sent, uint8(i), atState
		})
	default:
		m.do("submitter %d will sleep", c, 0, func(s *state) { s.cl[c].w.at = armed })
	}
}

// stage fills a slot and marks it submitted, under a new generation.
func (m *Model) stage(p *client, e *extent, i int) {
	k := &p.calls[i]
	k.gen++
	k.phase, k.at = callFlying, p.tail
	e.slots[i] = slot{st: slotSubmitted, gen: k.gen, req: k.req}
}

func (m *Model) enter(p *client, e *extent, i int, at uint8) {
	e.ring[at%slots] = entry{uint8(i), p.calls[i].gen}
}

// harvest takes completions, and cancelled calls that the server has read past.
func (m *Model) harvest(s *state, c int) {
	p, e := &s.cl[c], &s.ext[c]
	p.seenHead = e.head
	for i := range p.calls {
		if k := &p.calls[i]; k.phase == callCancelled && int8(e.head-k.at) > 0 {
			m.release(p, e, i)
		}
	}
	bits := e.bits
	e.bits = 0
	for i := range p.calls {
		if bits&(1<<i) != 0 {
			m.finish(s, c, i)
		}
	}
}

// finish takes the answer of one slot, if it is there.
func (m *Model) finish(s *state, c, i int) bool {
	p, e := &s.cl[c], &s.ext[c]
	k := &p.calls[i]
	if k.phase != callFlying && k.phase != callAbandoned || e.slots[i].st != slotDone || e.slots[i].gen != k.gen {
		return false
	}
	if e.slots[i].reply != k.req {
		s.fail(foreign)
	}
	if k.phase == callFlying {
		p.over++
	}
	m.release(p, e, i)
	return true
}

func (m *Model) release(p *client, e *extent, i int) {
	k := &p.calls[i]
	k.phase, k.req, k.at = callFree, 0, 0
	e.slots[i] = slot{st: slotFree, gen: k.gen}
}

// cancelSteps give a flying request up.
func (m *Model) cancelSteps(c int) {
	s := m.from
	if s.cancels == 0 {
		return
	}
	for i := range s.cl[c].calls {
		if s.cl[c].calls[i].phase != callFlying {
			continue
		}
		m.bad("submitter %d gives slot %d up", c, i, func(s *state) {
			s.cancels--
			p, e := &s.cl[c], &s.ext[c]
			k, sl := &p.calls[i], &e.slots[i]
			p.over++
			m.rouse(&p.w)
			if sl.st == slotSubmitted && sl.gen == k.gen {
				k.phase, sl.st = callCancelled, slotCancelled
				if m.fault(CancelledReused) {
					m.release(p, e, i)
				}
				return
			}
			if k.phase = callAbandoned; m.fault(AbandonedReused) {
				m.release(p, e, i)
			}
		})
	}
}

func (m *Model) rewind(p *client, e *extent) {
	if m.fault(NoRewind) {
		return
	}
	e.bits, e.head, e.tail = 0, 0, 0
	p.tail, p.seenHead = 0, 0
}

// pushAgain gives the successor all that has no answer.
func (m *Model) pushAgain(s *state, c int, p *client, e *extent) {
	for i := range p.calls {
		switch k := &p.calls[i]; k.phase {
		case callFlying:
			if !m.fault(PushDoneAgain) && m.finish(s, c, i) {
				continue
			}
			if m.fault(KeepGeneration) {
				k.gen--
			}
			m.stage(p, e, i)
			m.enter(p, e, i, p.tail)
			p.tail++
		case callAbandoned, callCancelled:
			k.gen++
			m.release(p, e, i)
		}
	}
	e.tail = p.tail
	p.shake = shakePushed
	if v := &s.srv.sv[c]; s.srv.st == srvUp && v.st == servedReserved {
		*v = served{st: servedMailed}
		m.rouse(&s.srv.w)
	}
}

// shakeSteps are those of the goroutine that watches the connection.
func (m *Model) shakeSteps(c int) {
	s := m.from
	p, v := &s.cl[c], &s.srv.sv[c]
	up := s.srv.st == srvUp
	switch {
	case p.shake == shakeNone && up && v.st == servedNone:
		m.do("submitter %d says HELLO and hears READY", c, 0, func(s *state) {
			s.srv.sv[c].st = servedReserved
			s.cl[c].shake = shakeReady
			m.rouse(&s.cl[c].w)
		})
	case p.shake == shakePushed && up && v.st != servedReserved && v.st != servedNone:
		m.do("submitter %d hears LIVE", c, 0, func(s *state) {
			p := &s.cl[c]
			p.shake, p.known = shakeLive, true
			m.rouse(&p.w)
			if !m.fault(NoWakeAtConnect) && m.moveWord(s, &s.srv.w, &p.woke) {
				s.srv.w.wake()
			}
		})
	case p.shake != shakeNone && (!up || v.st == servedNone) && p.pc != atReset && p.pc != atPush:
		m.do("submitter %d sees the hang-up", c, 0, func(s *state) {
			s.cl[c].shake = shakeNone
			m.rouse(&s.cl[c].w)
		})
	}
}
