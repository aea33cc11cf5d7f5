package ring

import "archipelago/test/model"

// Model explores one Config.
type Model struct {
	cfg  Config
	emit func(model.Step, *state)
	from *state
	to   *state // that the present step makes
}

// Explore runs the model of cfg.
func Explore(cfg Config, opts model.Options) (model.Result, error) {
	return model.Explore[state](&Model{cfg: cfg}, opts)
}

// Init implements model.Model.
func (m *Model) Init() []state {
	s := state{srvKills: m.cfg.ServerKills, clKills: m.cfg.ClientKills, cancels: m.cfg.Cancels, early: m.cfg.Early}
	for c := range submitters {
		if m.cfg.Requests[c] == 0 {
			s.cl[c].st = ended
		} else if c == 0 || !m.cfg.Successor {
			s.cl[c].st = alive
		}
	}
	return []state{s}
}

// Next implements model.Model.
func (m *Model) Next(s *state, emit func(model.Step, *state)) {
	m.emit, m.from = emit, s
	m.lifeSteps()
	for c := range submitters {
		if s.cl[c].st == alive {
			m.shakeSteps(c)
			m.clientSteps(c)
			m.waitSteps("submitter %d", c, func(s *state) *waiter { return &s.cl[c].w }, m.clientPending(s, c))
		}
	}
	if s.srv.st == srvUp {
		m.serverSteps()
		m.workerSteps()
		m.waitSteps("server", 0, func(s *state) *waiter { return &s.srv.w }, m.serverPending(s))
	}
	m.farSteps()
}

func (m *Model) fault(f Fault) bool { return m.cfg.Fault == f }

// do emits the state that change makes of the present one.
func (m *Model) do(text string, a, b int, change func(s *state)) {
	t := *m.from
	m.to = &t
	change(&t)
	m.emit(model.Step{Text: text, A: a, B: b}, &t)
}

// bad is do for what nothing may rely on.
func (m *Model) bad(text string, a, b int, change func(s *state)) {
	t := *m.from
	m.to = &t
	change(&t)
	m.emit(model.Step{Text: text, A: a, B: b, Bad: true}, &t)
}

// Check implements model.Model.
func (m *Model) Check(s *state) string { return wrongs[s.wrong] }

// Done implements model.Model: all requests have ended, and no slot is in use.
func (m *Model) Done(s *state) bool {
	for c := range submitters {
		switch s.cl[c].st {
		case notYet:
			if s.cl[0].st == dead {
				return false
			}
		case alive:
			return false
		}
	}
	return true
}

// lifeSteps are starts, ends and kills.
func (m *Model) lifeSteps() {
	s := m.from
	switch {
	case s.srv.st == srvDown:
		m.do("the server starts", 0, 0, func(s *state) { s.srv = server{st: srvWaits} })
	case s.srv.st == srvWaits && (m.fault(NoOutwait) || !s.oldRuns()):
		m.do("the server listens", 0, 0, func(s *state) { s.srv.st = srvUp })
	}
	if s.srv.st == srvUp && s.srvKills > 0 {
		m.bad("the server is killed", 0, 0, func(s *state) { m.killServer(s) })
	}
	if s.clKills > 0 && s.cl[0].st == alive {
		m.bad("submitter %d is killed", 0, 0, func(s *state) {
			s.clKills--
			s.cl[0] = client{st: dead}
			m.hungUp(s, 0)
		})
	}
	if m.cfg.Successor && s.cl[1].st == notYet && s.cl[0].st == dead {
		m.do("submitter %d starts", 1, 0, func(s *state) { s.cl[1].st = alive })
	}
	for c := range submitters {
		if p := &s.cl[c]; p.st == alive && p.over == m.cfg.Requests[c] && p.idle() && p.pc == atLook && s.ext[c].quiet() {
			m.do("submitter %d has ended", c, 0, func(s *state) {
				s.cl[c] = client{st: ended}
				m.hungUp(s, c)
			})
		}
	}
}

// oldRuns tells whether something that a dead server had passed on is not over.
func (s *state) oldRuns() bool {
	for c := range s.far {
		for i := range s.far[c] {
			if s.far[c][i].st != farNone && s.far[c][i].old {
				return true
			}
		}
	}
	return false
}

func (m *Model) killServer(s *state) {
	s.srvKills--
	s.srv = server{}
	for c := range submitters {
		s.cl[c].woke = false
		for i := range s.far[c] {
			if s.far[c][i].st != farNone {
				s.far[c][i].old = true
			}
		}
	}
}

// hungUp is what the server's watcher sees.
func (m *Model) hungUp(s *state, c int) {
	switch v := &s.srv.sv[c]; v.st {
	case servedReserved:
		*v = served{}
	case servedMailed, servedLive:
		v.st = servedHungUp
		m.rouse(&s.srv.w)
	}
}

func (p *client) idle() bool {
	for i := range p.calls {
		if p.calls[i].phase != callFree {
			return false
		}
	}
	return true
}

// quiet tells whether no slot is in use.
func (e *extent) quiet() bool {
	for i := range e.slots {
		if e.slots[i].st != slotFree {
			return false
		}
	}
	return true
}
