package writepath

// powerCutSteps end everything: a page cache keeps any subset of what wasn't synced.
func (m *Model) powerCutSteps() {
	if m.from.cuts == 0 {
		return
	}
	m.tails(m.from, func(f chunkFile) {
		t := *m.from
		t.cuts--
		t.file[t.chunk] = f
		m.restart(&t)
		m.survivors(&t, 0, 0)
	})
}

// tails calls use with the present chunk as a power cut may leave it: each record that wasn't
// synced is whole, bad or gone.
func (m *Model) tails(s *state, use func(chunkFile)) {
	f := s.file[s.chunk]
	loose := f.n - f.durable
	for gone := range loose + 1 {
		rest := loose - gone
		for torn := range uint8(1) << rest {
			g := f
			g.n -= gone
			for k := range maxRecs {
				if k := uint8(k); k >= g.n {
					g.rec[k] = chunkRec{}
				} else if k >= f.durable && torn>>(k-f.durable)&1 == 1 {
					g.rec[k] = chunkRec{bad: true}
				}
			}
			g.durable = g.n
			use(g)
		}
	}
}

// restart forgets whatever isn't on the storage, and who was at work.
func (m *Model) restart(t *state) {
	t.nlog, t.log, t.logEpoch = 0, [maxLog]logRec{}, t.epoch
	t.vl, t.ghost = vlmcd{}, ghost{}
	for i := range m.cfg.Ops {
		if t.running(i) {
			t.lose(i)
		}
	}
	m.load(t)
	m.sweep(t)
}

// survivors goes through the values that each unit of each object may have after the cut.
func (m *Model) survivors(t *state, obj, u int) {
	if obj == maxObj {
		m.afterCut(t)
		return
	}
	if u == units {
		m.survivors(t, obj+1, 0)
		return
	}
	o := t.obj[obj]
	if !o.exists {
		m.survivors(t, obj+1, 0)
		return
	}
	for bit := uint8(1); bit != 0; bit <<= 1 {
		if o.poss[u]&bit == 0 {
			continue
		}
		v := o
		v.cur[u], v.poss[u], v.dirty, v.durable = bit, bit, false, true
		v.failed = 0
		t.obj[obj] = v
		m.survivors(t, obj, u+1)
	}
	t.obj[obj] = o
}

// afterCut judges what is left, and lets the next clients begin with it.
func (m *Model) afterCut(t *state) {
	m.emitCut(t, func(n *state) {
		for idx := range m.cfg.Indexes {
			e := m.entry(n.md.mem[idx])
			for u := range units {
				val, _ := n.value(e, u)
				if val&n.safe[idx][u] == 0 {
					n.bad = wrongAfterCut
				}
				n.allowed[idx][u], n.safe[idx][u] = val, val
			}
		}
	})
}

// emitCut emits a power cut that left t.
func (m *Model) emitCut(t *state, judge func(*state)) {
	was := m.from
	m.from = t
	m.crash("power cut and restart", judge)
	m.from = was
}
