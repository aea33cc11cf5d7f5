package writepath

// touches says whether op i writes unit u of object idx.
func (m *Model) touches(i int, idx uint8, u int) bool {
	o := &m.cfg.Ops[i]
	switch {
	case o.Index != idx:
		return false
	case o.Kind == Discard:
		return true
	}
	return o.Kind == Write && int(o.Sub) == u/2 && o.Units>>(u%2)&1 == 1
}

func (m *Model) valueOf(i int) uint8 {
	if m.cfg.Ops[i].Kind == Discard {
		return zero
	}
	return m.cfg.Ops[i].Value
}

func (s *state) running(i int) bool { return s.op[i].pc > opIdle && s.op[i].pc < opDone }

// inFlight returns the values that unit u may still be given by running ops.
func (m *Model) inFlight(s *state, idx uint8, u int) uint8 {
	vals := uint8(0)
	for i := range m.cfg.Ops {
		if s.running(i) && m.touches(i, idx, u) {
			vals |= m.valueOf(i)
		}
	}
	return vals
}

// submit notes what a client may expect once op i has begun.
func (m *Model) submit(s *state, i int) {
	op := &m.cfg.Ops[i]
	for idx := range m.cfg.Indexes {
		for u := range units {
			if !m.touches(i, idx, u) {
				continue
			}
			others, val := m.inFlight(s, idx, u), m.valueOf(i)
			s.op[i].outdated[u] = s.allowed[idx][u] &^ others
			s.op[i].keep[idx][u] = others | val
			s.allowed[idx][u] |= val
			s.safe[idx][u] |= val
			m.keepToo(s, i, idx, u, val)
		}
	}
	if op.Kind == Flush {
		s.op[i].keep = s.allowed
	}
	s.op[i].pc = opQueued
}

// keepToo adds val to what flushes that run may leave behind.
func (m *Model) keepToo(s *state, i int, idx uint8, u int, val uint8) {
	for j := range m.cfg.Ops {
		o := &m.cfg.Ops[j]
		if j != i && s.running(j) && (o.Kind == Flush || o.FUA && m.touches(j, idx, u)) {
			s.op[j].keep[idx][u] |= val
		}
	}
}

// acknowledge notes what the client of op i may expect from now on.
func (m *Model) acknowledge(s *state, i int) {
	op := &m.cfg.Ops[i]
	for idx := range m.cfg.Indexes {
		for u := range units {
			if m.touches(i, idx, u) {
				s.allowed[idx][u] = s.allowed[idx][u]&^s.op[i].outdated[u] | m.valueOf(i)
			}
			if op.Kind == Flush || op.FUA && m.touches(i, idx, u) {
				s.safe[idx][u] = s.op[i].keep[idx][u]
			}
		}
	}
	s.op[i] = opState{pc: opDone}
}

// lose forgets op i: nobody waits for its answer any more.
func (s *state) lose(i int) { s.op[i] = opState{pc: opLost} }

// observe lets a reader see every unit that nobody writes: what it saw has to stay.
func (m *Model) observe(s *state) {
	if s.vl.down || s.ghost.there {
		return
	}
	for idx := range m.cfg.Indexes {
		e := m.entry(s.md.mem[idx])
		if s.vl.has[idx] {
			e = m.entry(s.vl.trans[idx])
		}
		for u := range units {
			if val, _ := s.value(e, u); m.inFlight(s, idx, u) == 0 && val&s.allowed[idx][u] != 0 {
				s.allowed[idx][u] = val
			}
		}
	}
}
