package ring

// waitSteps are the consumer's half of the wait word, but for its decision to sleep.
func (m *Model) waitSteps(who string, a int, w func(*state) *waiter, pending bool) {
	set := func(text string, at uint8, f func(s *state, w *waiter)) {
		m.do(who+text, a, 0, func(s *state) {
			w := w(s)
			w.at = at
			if f != nil {
				f(s, w)
			}
		})
	}
	switch x := w(m.from); x.at {
	case armed:
		set(" arms", again, func(s *state, w *waiter) { m.moved(s, w); w.odd, w.same = true, true })
	case again:
		to := uint8(wait)
		if pending && !m.fault(NoSecondLook) {
			to = goOn
		}
		set(" looks again", to, nil)
	case wait:
		to := uint8(asleep)
		if !x.same {
			to = returned
		}
		set(" waits", to, nil)
	case asleep:
		if m.from.early > 0 {
			m.bad(who+" returns early", a, 0, func(s *state) { s.early--; w(s).at = returned })
		}
	case returned:
		if m.fault(Reload) {
			set(" reloads", again, func(_ *state, w *waiter) { w.same = w.odd })
			return
		}
		set(" adds 2", goOn, func(s *state, w *waiter) { m.moved(s, w) })
	case goOn:
		set(" goes on", awake, func(s *state, w *waiter) { m.moved(s, w); w.odd = false })
	}
}

// moved: nobody has seen the word's value any more.
func (m *Model) moved(s *state, w *waiter) {
	w.same = false
	if w == &s.srv.w {
		s.cl[0].woke, s.cl[1].woke = false, false
		return
	}
	for c := range submitters {
		if w == &s.cl[c].w {
			s.srv.sv[c].woke = false
		}
	}
}

// moveWord is the producer's half: if the word is odd, and not what this producer moved it to,
// move it; true if the futex is to be woken. woke is the producer's memory.
func (m *Model) moveWord(s *state, w *waiter, woke *bool) bool {
	if !w.odd || *woke && !m.fault(Flag) {
		return false
	}
	m.moved(s, w)
	*woke = true
	if m.fault(Flag) {
		w.odd = false
	}
	return true
}

func (w *waiter) wake() {
	if w.at == asleep {
		w.at = returned
	}
}

// rouse is a wake-up by a thread of the same process, in one step: it lives and dies with the
// consumer.
func (m *Model) rouse(w *waiter) {
	if !w.odd {
		return
	}
	m.moved(m.to, w)
	if m.fault(Flag) {
		w.odd = false
	}
	w.wake()
}
