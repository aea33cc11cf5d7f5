package writepath

// reply lets the composer see the answer that waits for op i.
func (m *Model) reply(t *state, i int) {
	switch t.op[i].pc {
	case opMapRAns:
		m.looked(t, i)
	case opMapWAns:
		m.share(t, i)
		m.reserved(t, i)
	case opCommitAns:
		m.committed(t, i)
	case opSnapAns:
		if !m.fault(ThawKeepsTranslations) {
			t.vl.has, t.vl.trans, t.vl.own = [maxIdx]bool{}, [maxIdx]eid{}, [maxIdx]bool{}
		}
		t.vl.frozen = 0
		m.acknowledge(t, i)
	}
}

// looked installs MAPR's answer, unless a newer one is there already.
func (m *Model) looked(t *state, i int) {
	o, idx := &t.op[i], m.cfg.Ops[i].Index
	if !t.vl.has[idx] || m.fault(LateReplyWins) {
		t.vl.has[idx], t.vl.trans[idx], t.vl.own[idx] = true, o.e, o.own
	}
	m.requeue(t, i)
}

// requeue lets op i start again at the top of the write path.
func (m *Model) requeue(t *state, i int) {
	t.unlock(i, m.cfg.Ops[i].Index)
	o := &t.op[i]
	o.pc, o.e, o.own, o.stale, o.ordered, o.decided = opQueued, 0, false, false, false, false
}

// share merges MAPW's answer into the translation, so that nobody reads past a sub-block that this
// op finds present. If the composer reserves, an own object that it knew before stays, and the op
// goes on with that one.
func (m *Model) share(t *state, i int) {
	idx, o := m.cfg.Ops[i].Index, &t.op[i]
	have, answer := m.entry(t.vl.trans[idx]), m.entry(o.e)
	if m.fault(AnswerNotMerged) {
		return
	}
	if !t.vl.own[idx] || have.lv[0].obj == answer.lv[0].obj {
		m.update(t, i)
	}
	if m.cfg.ComposerReserves {
		o.e = t.vl.trans[idx]
	}
}

// reserved goes on with an entry whose level 0 is the volume's own: the sub-block may be present
// by now, since the lock was taken after the translation was read.
func (m *Model) reserved(t *state, i int) {
	op, o := &m.cfg.Ops[i], &t.op[i]
	e := m.entry(o.e)
	if e.lv[0].mask>>op.Sub&1 == 1 && !m.fault(PresenceNotRechecked) {
		t.unlock(i, op.Index)
		if o.pc = opInPlace; op.Kind == CopyUp {
			m.acknowledge(t, i)
		}
		return
	}
	switch {
	case m.fault(BitBeforeData) && !o.ordered:
		o.ordered, o.pc = true, opCommit
	case e.n > maxLevels && m.fault(LockUpgrade):
		o.pc = opUpgrade
	case e.n > maxLevels && !m.fault(MergeWithoutMiddle):
		if o.pc = opMerge; m.cfg.ComposerReserves {
			t.vl.merging[op.Index] = uint8(i) + 1
		}
	default:
		m.prepare(t, i)
	}
}

// prepare copies what the write doesn't cover, if there is anything below to copy from.
func (m *Model) prepare(t *state, i int) {
	op, o := &m.cfg.Ops[i], &t.op[i]
	e := m.entry(o.e)
	covered := op.Kind == Write && op.Units == bothUnits
	fill := e.n > 1
	if m.fault(HolesNotFilled) {
		fill = e.below(1)>>op.Sub&1 == 1
	}
	if fill && !covered {
		o.pc = opCopy
		return
	}
	m.copied(t, i)
}

func (m *Model) copied(t *state, i int) {
	if t.op[i].pc = opData; m.cfg.Ops[i].Kind == CopyUp {
		m.written(t, i)
	}
}

// written goes on to COMMIT: the data is in the object.
func (m *Model) written(t *state, i int) {
	if t.op[i].ordered {
		m.finish(t, i)
		return
	}
	t.op[i].pc = opCommit
}

// commitEntry is what COMMIT says: only the bits that this op made true, or all of them where
// nothing lies below.
func (m *Model) commitEntry(s *state, i int) entry {
	op, o := &m.cfg.Ops[i], &s.op[i]
	if op.Kind == Discard {
		return entry{}
	}
	e := m.entry(o.e)
	e.lv[0].mask = 1 << op.Sub
	if s.vl.merging[op.Index] == uint8(i)+1 {
		e.lv[0].mask = 0 // the merge alone
	}
	if e.n == 1 {
		e.lv[0].mask = fullMask
	}
	if e.n > maxLevels {
		if !m.fault(MergeWithoutMiddle) {
			e.lv[0].mask |= e.visible(2)
		}
		e = e.without(2)
	}
	return e.normal()
}

// committed takes COMMIT's answer: the sub-block counts as present from here on.
func (m *Model) committed(t *state, i int) {
	o, idx := &t.op[i], m.cfg.Ops[i].Index
	if o.stale {
		t.vl.has[idx], t.vl.trans[idx], t.vl.own[idx] = false, 0, false
		t.vl.merging[idx] = 0
		m.requeue(t, i)
		return
	}
	m.update(t, i)
	if t.vl.merging[idx] == uint8(i)+1 {
		t.vl.merging[idx], o.e = 0, t.vl.trans[idx]
		m.reserved(t, i)
		return
	}
	if o.ordered {
		m.prepare(t, i)
		return
	}
	m.finish(t, i)
}

// update brings the translation forward, never back: answers may be seen in another order than
// they were given.
func (m *Model) update(t *state, i int) {
	idx, answer := m.cfg.Ops[i].Index, m.entry(t.op[i].e)
	have := m.entry(t.vl.trans[idx])
	if t.vl.has[idx] && have.n > 0 && answer.n > 0 && have.lv[0].obj == answer.lv[0].obj && !m.fault(LateReplyWins) {
		mask := have.lv[0].mask | answer.lv[0].mask
		if answer = have; answer.n > maxLevels { // merged meanwhile
			answer = m.entry(t.op[i].e)
		}
		answer.lv[0].mask = mask
		answer = answer.normal()
	}
	t.vl.has[idx], t.vl.trans[idx], t.vl.own[idx] = true, m.intern(answer), answer.n > 0
}

// finish ends a write whose data and bit are in place.
func (m *Model) finish(t *state, i int) {
	t.unlock(i, m.cfg.Ops[i].Index)
	if m.cfg.Ops[i].FUA {
		t.op[i].pc, t.op[i].e = opFlush, 0
		if m.fault(FUAWithoutEntry) {
			t.sync()
			m.acknowledge(t, i)
		}
		return
	}
	m.acknowledge(t, i)
}
