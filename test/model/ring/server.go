package ring

func (m *Model) serverPending(s *state) bool {
	for c := range submitters {
		v := &s.srv.sv[c]
		switch {
		case v.st == servedMailed, v.st == servedHungUp:
			return true
		case v.st == servedLive && s.ext[c].tail != v.head:
			return true
		case v.staged != 0 || v.due:
			return true
		}
		for i := range slots {
			if s.srv.work[c][i].st == workBack {
				return true
			}
		}
	}
	return false
}

// serverSteps are those of the loop.
func (m *Model) serverSteps() {
	x := &m.from.srv
	if x.w.at != awake {
		return
	}
	c, i := int(x.cur), int(x.slot)
	at := func(text string, f func(s *state, x *server, v *served)) {
		m.do("the server "+text, c, i, func(s *state) { f(s, &s.srv, &s.srv.sv[c]) })
	}
	switch x.pc {
	case srvLook:
		m.batch()
	case srvEntry:
		at("reads an entry of %d", func(s *state, x *server, v *served) { m.readEntry(s, c) })
	case srvStore:
		at("stores RUNNING for %d, slot %d", func(s *state, x *server, v *served) { m.begun(s, c, i) })
	case srvEnd:
		at("ends request of %d in slot %d", func(s *state, x *server, v *served) {
			m.end(s, c, i)
			v.staged |= 1 << i
			x.work[c][i] = work{}
			x.nextEntry()
		})
	case srvHead:
		at("publishes its head to %d", func(s *state, x *server, v *served) { s.ext[c].head = v.head; x.pc = srvBits })
	case srvBits:
		at("publishes its answers to %d", func(s *state, x *server, v *served) {
			s.ext[c].bits |= v.staged
			v.staged, x.pc = 0, srvWord
		})
	case srvWord:
		at("moves the word of %d", func(s *state, x *server, v *served) {
			x.pc = srvLook
			if v.due && m.moveWord(s, &s.cl[c].w, &v.woke) {
				x.pc = srvFutex
			}
			v.due = false
		})
	case srvFutex:
		at("wakes %d", func(s *state, x *server, v *served) { s.cl[c].w.wake(); x.pc = srvLook })
	}
}

// batch looks once at everything.
func (m *Model) batch() {
	s := m.from
	if !m.serverPending(s) {
		m.do("the server will sleep", 0, 0, func(s *state) { s.srv.w.at = armed })
		return
	}
	for c := range submitters {
		v := &s.srv.sv[c]
		switch {
		case v.st == servedMailed:
			m.do("the server begins to serve %d", c, 0, func(s *state) { m.beginChannel(s, c) })
		case v.st == servedHungUp:
			m.do("the server hears of the end of %d", c, 0, func(s *state) { m.die(s, c) })
		case v.st == servedLive && s.ext[c].tail != v.head:
			m.do("the server drains the ring of %d", c, 0, func(s *state) { m.drain(s, c) })
		}
		for i := range slots {
			if s.srv.work[c][i].st == workBack {
				m.do("the server takes the answer for %d, slot %d", c, i, func(s *state) {
					x := &s.srv
					m.reply(s, c, i)
					x.cur, x.slot, x.left, x.pc = uint8(c), uint8(i), 0, srvEnd
					x.sv[c].due = true
				})
			}
		}
	}
}

// beginChannel adds a channel; the end of dead submitters is seen to first.
func (m *Model) beginChannel(s *state, c int) {
	for d := range submitters {
		if v := &s.srv.sv[d]; v.st == servedHungUp && !m.fault(NoBury) {
			m.die(s, d)
		}
	}
	s.srv.sv[c].st = servedLive
}

// die: what runs for a dead submitter counts as a ghost, what is parked is dropped.
func (m *Model) die(s *state, c int) {
	x := &s.srv
	x.sv[c].st = servedDead
	for i := range slots {
		switch k := &x.work[c][i]; k.st {
		case workNone:
		case workParked:
			*k = work{}
		default:
			k.ghost = true
		}
	}
	x.leave(c)
}

// leave gives the channel of a dead submitter back once nothing of it runs.
func (x *server) leave(c int) {
	if v := &x.sv[c]; v.st == servedDead && v.told+v.moved == 0 && x.work[c] == ([slots]work{}) {
		x.sv[c] = served{}
	}
}

func (m *Model) drain(s *state, c int) {
	x, v := &s.srv, &s.srv.sv[c]
	n := s.ext[c].tail - v.head
	if n > slots {
		s.fail(kicked)
		return
	}
	x.cur, x.left, x.pc = uint8(c), n, srvEntry
	v.due = true
}

func (x *server) nextEntry() {
	if x.pc = srvBits; x.left > 0 {
		x.pc = srvEntry
		if x.left--; x.left == 0 {
			x.pc = srvHead
		}
	}
}

// readEntry begins the request that the next ring entry names, if it is still to be had.
func (m *Model) readEntry(s *state, c int) {
	x, v, e := &s.srv, &s.srv.sv[c], &s.ext[c]
	en := e.ring[v.head%slots]
	v.head++
	sl := &e.slots[en.slot]
	if sl.st != slotSubmitted || sl.gen != en.gen {
		x.nextEntry()
		return
	}
	if x.slot = en.slot; m.fault(NoCAS) {
		x.pc = srvStore
		return
	}
	m.begun(s, c, int(en.slot))
}

// begun gives a request to the handler, or parks it.
func (m *Model) begun(s *state, c, i int) {
	x, sl, k := &s.srv, &s.ext[c].slots[i], &s.srv.work[c][i]
	if sl.st == slotCancelled {
		s.fail(takenBack)
	}
	sl.st = slotRunning
	*k = work{st: workRuns, req: sl.req, gen: sl.gen}
	if m.cfg.Mode == AtOnce {
		m.land(s, c, i, k.req, k.gen)
		m.reply(s, c, i)
		x.pc = srvEnd
		return
	}
	if x.haunted() && !m.fault(NoGhosts) {
		k.st = workParked
	} else {
		m.dispatch(s, c, i)
	}
	x.nextEntry()
}

// haunted tells whether something of a dead submitter runs; all requests are on one volume.
func (x *server) haunted() bool {
	for c := range x.work {
		for i := range x.work[c] {
			if x.work[c][i].ghost {
				return true
			}
		}
	}
	return false
}

func (m *Model) dispatch(s *state, c, i int) {
	k := &s.srv.work[c][i]
	if k.st = workRuns; m.cfg.Mode == PassOn {
		k.st = workPassed
		s.far[c][i] = far{st: farSubmitted, req: k.req, gen: k.gen}
	}
}

// laid lets go on what was parked, once the last ghost has gone.
func (m *Model) laid(s *state) {
	if s.srv.haunted() {
		return
	}
	for c := range submitters {
		for i := range slots {
			if s.srv.work[c][i].st == workParked {
				m.dispatch(s, c, i)
			}
		}
	}
}

// reply writes the answer into the slot.
func (m *Model) reply(s *state, c, i int) {
	k := &s.srv.work[c][i]
	s.ext[c].slots[i].reply = k.req
	k.st = workLanded
}

// end moves a slot to DONE if its word is as begin left it, and the request to its end.
func (m *Model) end(s *state, c, i int) {
	k, sl := &s.srv.work[c][i], &s.ext[c].slots[i]
	if sl.st == slotRunning && sl.gen == k.gen {
		sl.st = slotDone
		s.done[c] |= 1 << k.req
	}
	if m.cfg.Mode != Later {
		m.gone(s, c, i)
	}
}

// gone takes a request out of the server's hands.
func (m *Model) gone(s *state, c, i int) {
	s.srv.work[c][i] = work{}
	s.srv.leave(c)
	m.laid(s)
}

// land is the effect of a request, on its buffer and on its volume.
func (m *Model) land(s *state, c, i int, req, gen uint8) {
	if p := &s.cl[c]; p.st == alive {
		k := &p.calls[i]
		if k.req != req || k.gen != gen || k.phase != callFlying && k.phase != callAbandoned {
			s.fail(reused)
		}
	}
	switch {
	case s.done[c]&(1<<req) != 0:
		s.fail(doubled)
	case m.cfg.Successor && c == 1:
		s.newer = true
	case m.cfg.Successor && s.newer:
		s.fail(ghost)
	}
}
