package table

// push hands the request of i's channel over.
func (m *Model) push(s *state, i int, buf buffer) {
	p := &s.peers[i]
	r := p.ch - 1
	if s.rows[r].srcInc != p.inc {
		s.fail(lostRow)
		return
	}
	p.push = s.newPush()
	if buf == (buffer{}) {
		buf = buffer{r, p.push}
	}
	s.ext[r] = extent{reqSubmitted, p.push, buf}
}

// server returns the peer that i's channel is being served by, or -1.
func (m *Model) server(s *state, i int) int {
	p := &s.peers[i]
	for k := range m.cfg.Peers {
		q := &s.peers[k]
		if v := &q.sv[p.ch-1]; v.st != servedNone && v.srcInc == p.inc && v.open {
			return k
		}
	}
	return -1
}

func (m *Model) submitterSteps(i int) {
	s := m.from
	p := &s.peers[i]
	if p.ch == 0 || p.st != isUp {
		return
	}
	r := int(p.ch - 1)
	if e := &s.ext[r]; e.st == reqDone && e.push == p.push {
		m.do("%d takes its answer", i, func(s *state) { m.answered(s, i) })
	}
	k := m.server(s, i)
	switch {
	case p.shake == shakeNone:
		m.dialSteps(i)
	case k < 0 && p.job.op != opRenew:
		m.do("%d sees the hang-up", i, func(s *state) { s.peers[i].shake = shakeNone })
	case p.shake == shakeReady && p.job.op == opNone:
		m.control("%d renews", i, opRenew, r)
	case p.shake == shakeRenewed:
		m.do("%d pushes again and says GO", i, func(s *state) { m.sayGo(s, i, k) })
	}
	if p.shake != shakeNone && p.shake != shakeLive && s.outs > 0 && k >= 0 && p.job.op == opNone {
		m.bad("%d gives the handshake up", i, func(s *state) {
			s.outs--
			s.peers[i].shake = shakeNone
			m.hangUp(s, i)
		})
		m.bad("%d gives the whole channel up", i, func(s *state) {
			s.outs--
			s.peers[i].st = isReopening
			m.hangUp(s, i)
		})
	}
}

func (m *Model) answered(s *state, i int) {
	p := &s.peers[i]
	s.ext[p.ch-1] = extent{}
	p.push = 0
	if !m.cfg.Peers[i].Serves {
		p.finished = true
		return
	}
	r := p.from - 1
	p.from = 0
	m.respond(s, i, int(r))
}

// dialSteps says HELLO to a server that listens, which says READY unless something of the channel
// still runs there.
func (m *Model) dialSteps(i int) {
	s := m.from
	p := &s.peers[i]
	r := int(p.ch - 1)
	for k := range m.cfg.Peers {
		q := &s.peers[k]
		v := served{st: servedReserve, src: m.cfg.Peers[i].Port, srcInc: p.inc, open: true}
		if m.cfg.Peers[k].Port != m.cfg.Peers[i].Dst || !q.listening || q.st != isUp || !m.matches(s, k, r, &v) {
			continue
		}
		if q.sv[r].st != servedNone && !m.fault(NoReservation) {
			continue
		}
		m.do("%d says HELLO and hears READY", i, func(s *state) {
			if old := &s.peers[k].sv[r]; m.fault(NoReservation) {
				v.run, v.push, v.buf = old.run, old.push, old.buf
			}
			s.peers[k].sv[r] = v
			s.peers[i].shake, s.peers[i].heard = shakeReady, s.peers[k].inc
		})
	}
}

// sayGo pushes the request again that has no answer.
func (m *Model) sayGo(s *state, i, k int) {
	p := &s.peers[i]
	if e := &s.ext[p.ch-1]; p.push != 0 && !(e.st == reqDone && e.push == p.push) {
		buf := buffer{}
		if m.cfg.Peers[i].Serves {
			buf = s.peers[i].sv[p.from-1].buf
		}
		m.push(s, i, buf)
	}
	p.shake = shakeGo
	s.peers[k].sv[p.ch-1].sent = p.serial
}
