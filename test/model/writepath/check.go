package writepath

// settle brings a state into one form: a reader looks, and what nobody can reach any more goes.
func (m *Model) settle(t *state) {
	m.observe(t)
	m.sweep(t)
}

// sweep forgets objects and chunks that nothing names; names are never used again, so it changes
// nothing but the number of states.
func (m *Model) sweep(t *state) {
	if !m.fault(OrphanChunkReused) {
		for e := range t.file {
			if e := uint8(e); e != 0 && e != t.chunk && !(t.snap.exists && e == t.snap.chunk) {
				t.file[e] = m.inUse(t, e)
			}
		}
	}
	if m.fault(NameReuse) || m.fault(TruncateAtBirth) {
		return
	}
	used := m.used(t)
	for o := m.first; o < maxObj; o++ {
		if used>>o&1 == 0 {
			t.obj[o] = object{}
		}
	}
}

// inUse keeps the chunk of the present epoch while a flush is about to name it.
func (m *Model) inUse(t *state, e uint8) chunkFile {
	if e == t.epoch && t.md.flush == flushRecord {
		return t.file[e]
	}
	return chunkFile{}
}

// used returns the objects that something names.
func (m *Model) used(t *state) uint8 {
	used := t.md.trash | t.md.trashed | t.md.free | 1<<t.ghost.obj
	add := func(n eid) { // names all objects of entry n
		e := m.entry(n)
		for i := range e.n {
			used |= 1 << e.lv[i].obj
		}
	}
	add(t.ghost.e)
	for idx := range maxIdx {
		add(t.md.mem[idx])
		add(t.md.cut[idx])
		add(t.md.stale[idx])
		add(t.vl.trans[idx])
		used |= 1 << t.md.reserv[idx]
	}
	for i := range t.op {
		add(t.op[i].e)
	}
	for _, r := range t.log[:t.nlog] {
		add(r.e)
	}
	for f := range t.file {
		for idx := range maxIdx {
			add(t.file[f].base[idx])
		}
		for _, r := range t.file[f].rec {
			add(r.e)
		}
	}
	return used
}

// Check implements model.Model.
func (m *Model) Check(s *state) string {
	switch s.bad {
	case wrongSnapshot:
		return "the new snapshot shows what no client expects"
	case wrongAfterCut:
		return "after the power cut a flushed write is gone"
	}
	if what := m.checkReads(s); what != "" {
		return what
	}
	if what := m.checkPowerCut(s); what != "" {
		return what
	}
	return m.checkSnapshot(s)
}

// checkReads reads every unit in each way that a reader could now.
func (m *Model) checkReads(s *state) string {
	after := m.recovered(s)
	for idx := range m.cfg.Indexes {
		for u := range units {
			if val, _ := s.value(m.entry(s.vl.trans[idx]), u); s.vl.has[idx] && val&s.allowed[idx][u] == 0 {
				return "a read through the translation sees what it must not"
			}
			if val, _ := s.value(m.entry(s.md.mem[idx]), u); val&s.allowed[idx][u] == 0 {
				return "a read through the mapper sees what it must not"
			}
			if val, _ := s.value(m.entry(after[idx]), u); val&s.allowed[idx][u] == 0 {
				return "after a kill of the mapper a read would see what it must not"
			}
		}
	}
	return ""
}

// checkPowerCut looks at all that a power cut could leave now.
func (m *Model) checkPowerCut(s *state) (what string) {
	f := &s.file[s.chunk]
	for n := f.durable; n <= f.good(); n++ {
		es := f.entries(n)
		for idx := range m.cfg.Indexes {
			for u := range units {
				if w := m.lost(s, m.entry(es[idx]), u, s.safe[idx][u]); w != "" {
					return w
				}
			}
		}
	}
	return ""
}

// lost says what a power cut may do to unit u behind e, where only the values in safe are right.
func (m *Model) lost(s *state, e entry, u int, safe uint8) string {
	val, obj := s.value(e, u)
	if obj == 0 {
		if val&^safe != 0 {
			return "a power cut would lose a flushed write"
		}
		return ""
	}
	o := &s.obj[obj]
	switch {
	case !o.exists || !o.durable:
		return "a durable entry names an object that isn't"
	case o.poss[u]&^safe != 0:
		return "a power cut would lose a flushed write"
	}
	return ""
}

// checkSnapshot compares the snapshot with its point in time, now and after a power cut, and the
// origin with what it always was.
func (m *Model) checkSnapshot(s *state) string {
	for o := uint8(1); o < m.first; o++ {
		for u := range units {
			if s.obj[o].epoch == 0 && (s.obj[o].dirty || s.obj[o].poss[u] != s.obj[o].cur[u]) {
				return "the origin was written to"
			}
		}
	}
	if !s.snap.exists {
		return ""
	}
	f := &s.file[s.snap.chunk]
	for n := f.durable; n <= f.good(); n++ {
		es := f.entries(n)
		for idx := range m.cfg.Indexes {
			for u := range units {
				want := s.snap.val[idx][u]
				if val, _ := s.value(m.entry(es[idx]), u); val != want {
					return "the snapshot has changed"
				}
				if m.lost(s, m.entry(es[idx]), u, want) != "" {
					return "a power cut would change the snapshot"
				}
			}
		}
	}
	return ""
}
