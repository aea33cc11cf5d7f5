package ring

// workerSteps are those of the threads that answer later.
func (m *Model) workerSteps() {
	if m.cfg.Mode != Later {
		return
	}
	for c := range submitters {
		for i := range slots {
			m.workerStep(c, i)
		}
		m.wakeSteps(c)
	}
}

func (m *Model) workerStep(c, i int) {
	at := func(text string, f func(s *state, k *work)) {
		m.do("a worker "+text, c, i, func(s *state) { f(s, &s.srv.work[c][i]) })
	}
	bit := func(s *state) { s.ext[c].bits |= 1 << i }
	switch m.from.srv.work[c][i].st {
	case workRuns:
		at("executes for %d, slot %d", func(s *state, k *work) { m.land(s, c, i, k.req, k.gen); m.reply(s, c, i) })
	case workLanded:
		at("ends for %d, slot %d", func(s *state, k *work) {
			if m.fault(BitBeforeDone) {
				bit(s)
			} else {
				m.end(s, c, i)
			}
			k.st = workDone
		})
	case workDone:
		at("tells %d, slot %d", func(s *state, k *work) {
			if m.fault(BitBeforeDone) {
				m.end(s, c, i)
			} else {
				bit(s)
			}
			s.srv.sv[c].told++
			m.gone(s, c, i)
		})
	}
}

// wakeSteps are what workers do when slot and request may be in their next use already.
func (m *Model) wakeSteps(c int) {
	v := &m.from.srv.sv[c]
	if v.told > 0 {
		m.do("a worker moves the word of %d", c, 0, func(s *state) {
			v := &s.srv.sv[c]
			v.told--
			if m.moveWord(s, &s.cl[c].w, &v.woke) {
				v.moved++
			}
			s.srv.leave(c)
		})
	}
	if v.moved > 0 {
		m.do("a worker wakes %d", c, 0, func(s *state) {
			s.srv.sv[c].moved--
			s.cl[c].w.wake()
			s.srv.leave(c)
		})
	}
}

// farSteps are those of the server that requests are passed on to. It lives.
func (m *Model) farSteps() {
	s := m.from
	for c := range submitters {
		for i := range slots {
			f := &s.far[c][i]
			switch {
			case f.st == farSubmitted && f.old:
				m.do("the other server drops %d, slot %d", c, i, func(s *state) { s.far[c][i] = far{} })
				fallthrough
			case f.st == farSubmitted:
				m.do("the other server begins %d, slot %d", c, i, func(s *state) { s.far[c][i].st = farRuns })
			case f.st == farRuns:
				m.do("the other server executes %d, slot %d", c, i, func(s *state) {
					f := &s.far[c][i]
					m.land(s, c, i, f.req, f.gen)
					if !f.old {
						s.srv.work[c][i].st = workBack
						m.rouse(&s.srv.w)
					}
					*f = far{}
				})
			}
		}
	}
}
