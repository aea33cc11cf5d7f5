package writepath

// killSteps kill one peer, or all. What it had under way is done or not; who lives repeats what it
// had asked of it.
func (m *Model) killSteps() {
	if m.from.kills == 0 {
		return
	}
	m.killMapper()
	m.killComposer(false)
	m.killComposer(true)
	m.killDataBlocker()
	m.killMapBlocker()
}

// kill is a crash that uses up one kill.
func (m *Model) kill(text string, change func(*state), args ...int) {
	m.crash(text, func(t *state) {
		t.kills--
		change(t)
	}, args...)
}

// killMapper: with or without a COMMIT that was logged, but not answered. The restart is in the
// same step: what others do meanwhile they could have done before or after it.
func (m *Model) killMapper() {
	s := m.from
	m.kill("mapper killed and restarted", m.load)
	for i := range m.cfg.Ops {
		if s.op[i].pc == opCommit && s.nlog < m.cfg.LogRoom {
			m.kill("mapper killed and restarted after it logged op %d", func(t *state) {
				o := t.op[i]
				m.commit(t, i)
				t.op[i] = o
				m.load(t)
			}, i)
		}
	}
}

// killComposer: each request that it had passed on ends or was not begun, before a successor
// serves; so the successor's start follows at once. With all, every peer dies with it.
func (m *Model) killComposer(all bool) {
	s := m.from
	if s.vl.down {
		return
	}
	who := "composer"
	if all {
		who = "all peers"
	}
	for set := range uint8(1 << len(m.cfg.Ops)) {
		if set&^m.passedOn(s) != 0 {
			continue
		}
		for dead := -1; dead < len(m.cfg.Ops); dead++ {
			if dead >= 0 && (!m.cfg.EndpointsDie || !s.running(dead)) {
				continue
			}
			text := who + " killed; of the requests passed on, those of the ops in %b end"
			if dead >= 0 {
				text += "; the client of op %d dies too"
			}
			m.kill(text, func(t *state) { m.composerDies(t, set, dead, all) }, int(set), dead)
		}
	}
}

// passedOn returns the ops whose passed-on request changes something at another peer.
func (m *Model) passedOn(s *state) (set uint8) {
	for i := range m.cfg.Ops {
		switch s.op[i].pc {
		case opMerge, opCopy, opData, opInPlace:
			set |= 1 << i
		case opCommit:
			if s.nlog < m.cfg.LogRoom {
				set |= 1 << i
			}
		}
	}
	return set
}

func (m *Model) composerDies(t *state, ended uint8, dead int, all bool) {
	for i := range m.cfg.Ops {
		if ended>>i&1 == 1 {
			m.lastWords(t, i)
		}
	}
	t.vl = vlmcd{down: true}
	for i := range m.cfg.Ops {
		m.repush(t, i, i == dead)
	}
	if all {
		m.load(t)
	}
	if t.md.snap == snapIdle || m.fault(GhostSnapshot) {
		t.vl.down = false
		m.open(t)
	}
}

// lastWords is the effect of what was passed on for op i.
func (m *Model) lastWords(t *state, i int) {
	op, p := &m.cfg.Ops[i], t.op[i].pc
	switch {
	case p == opCommit && m.fault(GhostCommit) && !t.ghost.there:
		t.ghost = ghost{there: true, commit: true, idx: op.Index, e: m.intern(m.commitEntry(t, i))}
	case p == opCommit:
		m.commit(t, i)
	case (p == opData || p == opInPlace) && m.fault(GhostWrite) && !t.ghost.there:
		t.ghost = ghost{there: true, obj: m.entry(t.op[i].e).lv[0].obj, sub: op.Sub, units: op.Units, value: op.Value}
	default:
		m.apply(t, i, bothUnits)
	}
}

// repush starts op i anew at the composer's successor; a dead client's is dropped, and the
// composer's own work is begun again by nobody.
func (m *Model) repush(t *state, i int, dead bool) {
	if !t.running(i) {
		return
	}
	if dead || m.cfg.Ops[i].Kind == CopyUp {
		t.lose(i)
		return
	}
	o := &t.op[i]
	o.pc, o.e, o.own, o.stale, o.ordered, o.decided = opQueued, 0, false, false, false, false
}

// killDataBlocker: one request took effect, whole or in part, but wasn't answered; the composer
// repeats it. The names of dirty objects lie in /dev/shm.
func (m *Model) killDataBlocker() {
	s := m.from
	if m.fault(DirtyNamesForgotten) {
		m.kill("data blocker killed", func(t *state) {
			for i := range t.obj {
				t.obj[i].dirty = false
			}
		})
	}
	for i := range m.cfg.Ops {
		if m.passedOn(s)>>i&1 == 0 || s.op[i].pc == opCommit {
			continue
		}
		for only := uint8(1); only <= bothUnits; only++ {
			m.kill("data blocker killed with units %b of op %d done", func(t *state) { m.apply(t, i, only) }, int(only), i)
		}
	}
}

// killMapBlocker: the append that was under way is there, torn or whole, but wasn't answered.
func (m *Model) killMapBlocker() {
	s := m.from
	if s.md.flush != flushChunk || s.chunk != s.epoch || s.md.cutSet == 0 || !s.file[s.epoch].exists {
		return
	}
	if s.md.compact == 2 || !s.md.tailCut || s.file[s.epoch].n != s.md.known {
		return
	}
	for idx := range m.cfg.Indexes {
		if s.md.cutSet>>idx&1 == 1 {
			m.kill("map blocker killed, entry %d appended", func(t *state) { m.appendEntry(t, idx) }, int(idx))
			m.kill("map blocker killed, entry %d appended torn", func(t *state) {
				t.file[t.epoch].add(chunkRec{bad: true})
			}, int(idx))
			return
		}
	}
}
