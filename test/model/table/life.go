package table

// after is what a peer does when its control step is over.
func (m *Model) after(s *state, i int, j job) {
	p := &s.peers[i]
	r := int(j.row)
	switch j.op {
	case opClaim:
		if p.inc != 0 {
			p.st = isWaiting
		}
	case opOutwait:
		if j.ok {
			p.st = isUp
			p.listening = m.cfg.Peers[i].Serves
		}
	case opConnect:
		p.ch, p.shake = uint8(r)+1, shakeNone
		if !m.cfg.Peers[i].Serves {
			m.push(s, i, buffer{})
		}
	case opRenew:
		if j.ok && p.shake == shakeReady {
			p.shake = shakeRenewed
		} else {
			p.shake = shakeNone
		}
	case opSign:
		m.signed(s, i, r, j.ok)
	case opRelease:
		p.sv[r].release()
	case opClose:
		m.hangUp(s, i) // it drains then
		p.ch, p.shake, p.push = 0, shakeNone, 0
		if p.st == isReopening {
			p.st = isUp
		} else {
			p.st = isUnbinding
		}
	case opUnbind:
		s.ports[m.cfg.Peers[i].Port].lock = 0
		p.st = isEnding
		for r := range p.sv {
			p.sv[r].open = false
		}
	}
}

// release lets another handshake begin.
func (v *served) release() {
	if v.run == runNone {
		*v = served{}
		return
	}
	v.st = servedStray
}

// lifeSteps are those from the start of a peer to its end.
func (m *Model) lifeSteps(i int) {
	s := m.from
	p, c := &s.peers[i], &m.cfg.Peers[i]
	if p.st == isDying {
		m.do("%d is dead, its locks go", i, func(s *state) { m.bury(s, i) })
		return
	}
	if p.job.op != opNone {
		return
	}
	switch p.st {
	case isDown:
		if p.lives > 0 && m.mayStart(s, i) {
			m.do("%d starts", i, func(s *state) {
				s.peers[i] = peer{st: isBinding, lives: p.lives - 1}
			})
		}
	case isBinding:
		m.control("%d claims its port", i, opClaim, 0)
	case isWaiting:
		m.control("%d looks for what was passed on", i, opOutwait, 0)
	case isUp:
		m.upSteps(i)
	case isClosing, isReopening:
		m.control("%d gives its channel back", i, opClose, 0)
	case isUnbinding:
		m.control("%d leaves its port", i, opUnbind, 0)
	case isEnding:
		if p.sv == ([maxRows]served{}) {
			m.do("%d has ended", i, func(s *state) { s.peers[i] = peer{st: isGone} })
		}
	}
	if c.Serves && p.st == isUp && p.listening && s.stops > 0 && m.followed(i) {
		m.bad("%d is asked to end", i, func(s *state) {
			s.stops--
			s.peers[i].stopping, s.peers[i].listening = true, false
		})
	}
}

// mayStart: peers of one port are started one after the other.
func (m *Model) mayStart(s *state, i int) bool {
	for k := range i {
		q := &s.peers[k]
		if m.cfg.Peers[k].Port == m.cfg.Peers[i].Port && q.st < isUnbinding && (q.st != isDown || q.lives > 0) {
			return false
		}
	}
	return true
}

// followed tells whether another peer takes the port of i when it has ended.
func (m *Model) followed(i int) bool {
	for k := i + 1; k < len(m.cfg.Peers); k++ {
		if m.cfg.Peers[k].Port == m.cfg.Peers[i].Port {
			return true
		}
	}
	return false
}

func (m *Model) upSteps(i int) {
	s := m.from
	p, c := &s.peers[i], &m.cfg.Peers[i]
	switch {
	case c.Dst != 0 && p.ch == 0 && !p.stopping:
		m.control("%d connects", i, opConnect, 0)
	case p.stopping && !p.busy(), !c.Serves && p.finished:
		m.do("%d closes", i, func(s *state) { m.closing(s, i) })
	}
}

// busy tells whether a request that was received isn't answered.
func (p *peer) busy() bool {
	for r := range p.sv {
		if p.sv[r].run != runNone {
			return true
		}
	}
	return false
}

func (m *Model) closing(s *state, i int) {
	p := &s.peers[i]
	if p.ch == 0 {
		p.st = isUnbinding
		return
	}
	p.st = isClosing
}

// hangUp closes the connection of i's channel at its end.
func (m *Model) hangUp(s *state, i int) {
	for k := range m.cfg.Peers {
		if p := &s.peers[i]; p.ch != 0 {
			if v := &s.peers[k].sv[p.ch-1]; v.srcInc == p.inc {
				v.open = false
			}
		}
	}
}

func (m *Model) killSteps(i int) {
	p := &m.from.peers[i]
	if m.from.kills == 0 || p.st == isDown || p.st == isDying || p.st == isGone {
		return
	}
	m.bad("%d is killed", i, func(s *state) { m.kill(s, i) })
}

// kill ends a process. What it holds stays for a moment: the port, and the control lock.
func (m *Model) kill(s *state, i int) {
	s.kills--
	m.hangUp(s, i)
	p := &s.peers[i]
	*p = peer{st: isDying, lives: p.lives, inc: p.inc}
}

// bury drops the locks of a dead process.
func (m *Model) bury(s *state, i int) {
	for port := range s.ports {
		if s.ports[port].lock == uint8(i)+1 {
			s.ports[port].lock = 0
		}
	}
	if s.control == uint8(i)+1 {
		s.control = 0
	}
	s.peers[i] = peer{lives: s.peers[i].lives}
}
