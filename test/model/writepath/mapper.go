package writepath

// mapperServes lets the mapper answer what the composer passed on for op i.
func (m *Model) mapperServes(i int) {
	s := m.from
	switch s.op[i].pc {
	case opMapR:
		m.step("op %d: MAPR answered", func(t *state) { m.lookup(t, i) }, i)
	case opMapW:
		m.step("op %d: MAPW answered", func(t *state) { m.lookup(t, i) }, i)
	case opCommit:
		if s.nlog < m.cfg.LogRoom {
			m.step("op %d: COMMIT logged and answered", func(t *state) {
				m.commit(t, i)
				t.op[i].pc = opCommitAns
			}, i)
		}
	}
}

// lookup answers MAPR or MAPW; the composer sees it at once unless replies are late.
func (m *Model) lookup(t *state, i int) {
	o, idx := &t.op[i], m.cfg.Ops[i].Index
	if o.pc == opMapW {
		o.pc, o.e = opMapWAns, m.reserve(t, idx)
	} else {
		o.pc, o.e = opMapRAns, t.md.mem[idx]
	}
	o.own = t.isOwn(m.entry(o.e))
	if !m.cfg.LateReplies {
		m.reply(t, i)
	}
}

// reserve answers MAPW.
func (m *Model) reserve(t *state, idx uint8) eid {
	e := m.entry(t.md.mem[idx])
	if t.isOwn(e) {
		return t.md.mem[idx]
	}
	slot := t.md.reserv[idx]
	if slot == 0 {
		slot = m.birth(t, idx)
	}
	if !m.cfg.ComposerReserves {
		t.md.reserv[idx] = slot
	}
	return m.intern(e.pushed(level{slot, 0}))
}

// birth names a new object: never a name that was used before.
func (m *Model) birth(t *state, idx uint8) uint8 {
	if m.fault(NameReuse) || m.fault(TruncateAtBirth) {
		slot := m.first + (t.epoch-1)*m.cfg.Indexes + idx
		if m.fault(TruncateAtBirth) {
			t.obj[slot] = object{}
		}
		t.obj[slot].epoch = t.epoch
		return slot
	}
	for slot := m.first; slot < maxObj; slot++ {
		if t.obj[slot] == (object{}) {
			t.obj[slot].epoch = t.epoch
			return slot
		}
	}
	panic("writepath: no room for another object")
}

// commit serves COMMIT: log first, since a kill must find the entry in the log if the answer was
// seen.
func (m *Model) commit(t *state, i int) {
	idx := m.cfg.Ops[i].Index
	e, ok := m.accept(t, idx, m.commitEntry(t, i))
	if t.op[i].stale = !ok; !ok {
		t.op[i].e = 0
		return
	}
	m.note(t, idx, e)
	t.op[i].e = t.md.mem[idx]
}

// accept judges a COMMIT by the present entry alone (and a remembered reservation).
func (m *Model) accept(t *state, idx uint8, c entry) (entry, bool) {
	have := m.entry(t.md.mem[idx])
	if c.n == 0 {
		return c, true
	}
	if t.obj[c.lv[0].obj].epoch != t.epoch {
		return c, false
	}
	if t.isOwn(have) && have.lv[0].obj == c.lv[0].obj {
		if m.fault(CommitReplacesMask) {
			return c, true
		}
		have.lv[0].mask |= c.lv[0].mask
		return have.normal(), true
	}
	if m.fault(CommitAnyBirth) {
		return c, true
	}
	known := t.md.reserv[idx] == 0 || t.md.reserv[idx] == c.lv[0].obj
	return c, !t.isOwn(have) && known && m.shaped(c, have)
}

func (m *Model) shaped(c, have entry) bool {
	return c.follows(have) || m.fault(MergeWithoutMiddle) || m.fault(DiscardWithoutLocks)
}

// note logs e as the present entry of idx.
func (m *Model) note(t *state, idx uint8, e entry) {
	if have := m.entry(t.md.mem[idx]); t.isOwn(have) && !names(e, have.lv[0].obj) {
		t.md.trash |= 1 << have.lv[0].obj
		if m.fault(DeleteBeforeDurable) {
			t.md.free |= 1 << have.lv[0].obj
		}
	}
	if t.logEpoch != t.epoch {
		t.nlog, t.log, t.logEpoch = 0, [maxLog]logRec{}, t.epoch
	}
	t.md.mem[idx], t.md.reserv[idx] = m.intern(e), 0
	t.log[t.nlog] = logRec{idx, m.intern(e)}
	t.nlog++
}

func names(e entry, obj uint8) bool {
	for i := range e.n {
		if e.lv[i].obj == obj {
			return true
		}
	}
	return false
}

// load is a mapper's start: chunk, then the pending log over it.
func (m *Model) load(t *state) {
	t.md = mapperd{mem: m.recovered(t), known: t.file[t.chunk].good()}
}

// recovered returns the entries that a mapper started now would find.
func (m *Model) recovered(s *state) [maxIdx]eid {
	mem := s.file[s.chunk].entries(maxRecs)
	if s.logEpoch != s.epoch || m.fault(LogNotReplayed) {
		return mem
	}
	for _, r := range s.log[:s.nlog] {
		mem[r.idx] = r.e
	}
	return mem
}

// mapperSteps: deletions, and what planted faults do beside everything else.
func (m *Model) mapperSteps() {
	s := m.from
	for o := m.first; o < maxObj; o++ {
		if s.md.free>>o&1 == 1 {
			m.step("object %d deleted", func(t *state) {
				t.md.free &^= 1 << o
				epoch := t.obj[o].epoch
				t.obj[o] = object{epoch: epoch}
			}, int(o))
		}
	}
	if !m.fault(CompactionBeside) {
		return
	}
	own := &s.file[s.epoch]
	if s.md.compact == 0 && s.chunk == s.epoch && own.exists && s.compactions > 0 {
		m.step("compaction reads the chunk", func(t *state) {
			t.compactions--
			t.md.compact, t.md.stale = 1, own.entries(t.md.known)
		})
	}
	if s.md.compact == 1 {
		m.step("compaction replaces the chunk", func(t *state) {
			t.file[t.epoch] = chunkFile{exists: true, base: t.md.stale}
			t.md.compact, t.md.stale, t.md.known = 0, [maxIdx]eid{}, 0
		})
	}
}
