package table

func (m *Model) serverSteps(i int) {
	p := &m.from.peers[i]
	if !m.cfg.Peers[i].Serves || p.st < isUp || p.st == isGone {
		return
	}
	for r := range p.sv {
		if p.sv[r].st != servedNone {
			m.connSteps(i, r)
			m.workSteps(i, r)
		}
	}
}

// connSteps are those of the goroutine that watches a connection.
func (m *Model) connSteps(i, r int) {
	s := m.from
	p := &s.peers[i]
	v := &p.sv[r]
	set := func(st uint8) func(*state) { return func(s *state) { s.peers[i].sv[r].st = st } }
	switch {
	case v.st == servedReserve && v.sent != 0:
		m.do("%d reads GO", i, func(s *state) {
			v := &s.peers[i].sv[r]
			v.st, v.serial, v.sent = servedSign, v.sent, 0
		})
	case v.st == servedReserve && !v.open:
		m.do("%d hears nothing more", i, func(s *state) { s.peers[i].sv[r] = served{} })
	case v.st == servedSign && p.job.op == opNone:
		m.control("%d signs", i, opSign, r)
	case v.st == servedLive && !v.open:
		m.do("%d sees a hang-up", i, set(servedDead))
	case v.st == servedDead && (v.run == runNone || m.fault(ReleaseEarly)):
		m.do("%d has drained a channel", i, set(servedEnded))
	case v.st == servedEnded && p.job.op == opNone:
		m.control("%d releases", i, opRelease, r)
	}
}

// signed ends the handshake.
func (m *Model) signed(s *state, i, r int, ok bool) {
	p := &s.peers[i]
	v := &p.sv[r]
	if !ok {
		*v = served{}
		return
	}
	v.st = servedLive
	if !v.open {
		return
	}
	for k := range m.cfg.Peers {
		if q := &s.peers[k]; q.inc == v.srcInc && q.shake == shakeGo {
			q.shake = shakeLive
		}
	}
}

// workSteps are those of the loop.
func (m *Model) workSteps(i, r int) {
	s := m.from
	p := &s.peers[i]
	v, e := &p.sv[r], &s.ext[r]
	if v.st == servedLive && v.run == runNone && e.st == reqSubmitted && p.st == isUp && !p.stopping {
		m.do("%d begins a request", i, func(s *state) {
			e, v := &s.ext[r], &s.peers[i].sv[r]
			e.st = reqRunning
			v.run, v.push, v.buf = runHere, e.push, e.buf
		})
	}
	if v.run != runHere {
		return
	}
	if m.cfg.Peers[i].Dst != 0 {
		if p.ch != 0 && p.push == 0 {
			m.do("%d passes a request on", i, func(s *state) {
				s.peers[i].from = uint8(r) + 1
				s.peers[i].sv[r].run = runPassed
				m.push(s, i, s.peers[i].sv[r].buf)
			})
		}
		return
	}
	m.do("%d does a request and answers", i, func(s *state) { m.respond(s, i, r) })
}

// respond writes to the buffer and to the slot.
func (m *Model) respond(s *state, i, r int) {
	v := &s.peers[i].sv[r]
	b := v.buf
	if e := &s.ext[b.row]; e.push != b.push || e.st != reqRunning {
		s.fail(wroteReused)
	}
	if e := &s.ext[r]; e.push != v.push || e.st != reqRunning {
		s.fail(wroteAway)
	} else {
		e.st = reqDone
	}
	v.run, v.push, v.buf = runNone, 0, buffer{}
	if v.st == servedStray {
		*v = served{}
	}
}
