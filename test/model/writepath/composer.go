package writepath

// opSteps are the steps of op i: its client's, the composer's, and those of the peers that serve
// what the composer passed on for it.
func (m *Model) opSteps(i int) {
	s := m.from
	switch s.op[i].pc {
	case opIdle:
		if a := m.cfg.Ops[i].After; !s.vl.down && (a == 0 || s.op[a-1].pc >= opDone) {
			m.begin(i)
		}
	case opQueued:
		if !s.vl.down {
			m.begin(i)
		}
	case opMapR, opMapW, opCommit, opFlush:
		m.mapperServes(i)
	case opMerge, opCopy, opData, opInPlace:
		m.step("op %d: blocker does it (phase %d)", func(t *state) { m.dataStep(t, i) }, i, int(s.op[i].pc))
	case opMapRAns, opMapWAns, opCommitAns, opSnapAns:
		m.step("op %d: composer sees the reply (phase %d)", func(t *state) { m.reply(t, i) }, i, int(s.op[i].pc))
	case opUpgrade:
		if all := uint8(fullMask) &^ (1 << m.cfg.Ops[i].Sub); s.lockable(m.cfg.Ops[i].Index, all) {
			m.step("op %d: lock upgraded", func(t *state) {
				t.take(i, m.cfg.Ops[i].Index, all)
				t.op[i].pc = opMerge
			}, i)
		}
	case opDrain:
		if m.drained(s) {
			m.step("op %d: drained, SNAPSHOT passed on", func(t *state) { t.op[i].pc = opSnap }, i)
		}
	}
}

// opStep is a step that takes op i up. A client submits no sooner than that: so its op overlaps
// with as few others as can be, and the client may expect the most.
func (m *Model) opStep(text string, change func(*state), i int) {
	m.step(text, func(t *state) {
		if t.op[i].pc == opIdle {
			m.submit(t, i)
		}
		change(t)
	}, i)
}

// begin takes an op up. What can't go on yet stays queued.
func (m *Model) begin(i int) {
	s, op := m.from, &m.cfg.Ops[i]
	switch {
	case s.vl.frozen != 0:
		return // parked
	case op.Kind == Flush:
		m.opStep("op %d: FLUSH passed on", func(t *state) { t.op[i].pc = opFlush }, i)
	case op.Kind == Snapshot:
		m.opStep("op %d: freeze", func(t *state) { t.vl.frozen, t.op[i].pc = uint8(i)+1, opDrain }, i)
	case !s.vl.has[op.Index]:
		m.opStep("op %d: MAPR passed on", func(t *state) { m.ask(t, i, opMapR) }, i)
	case op.Kind == Discard:
		m.beginDiscard(i)
	default:
		m.beginWrite(i)
	}
}

// beginWrite is the fork of the write path: in place, or under the lock of the sub-block.
func (m *Model) beginWrite(i int) {
	s, op := m.from, &m.cfg.Ops[i]
	e, own := m.entry(s.vl.trans[op.Index]), s.vl.own[op.Index]
	if own && e.lv[0].mask>>op.Sub&1 == 1 && !s.op[i].decided {
		m.beginPresent(i)
		return
	}
	want := uint8(1) << op.Sub
	if !own && e.n == maxLevels && !m.cfg.ComposerReserves && !m.fault(LockUpgrade) {
		want = fullMask // a fourth level: the entry's shape changes
	}
	if m.fault(NoSubBlockLock) || m.fault(CopyUpWithoutLock) && op.Kind == CopyUp {
		want = 0
	}
	if !s.lockable(op.Index, want) || s.vl.merging[op.Index] != 0 {
		if m.fault(PresenceNotRechecked) && !s.op[i].decided {
			m.opStep("op %d: waits for the lock, to copy", func(t *state) { t.op[i].decided = true }, i)
		}
		return
	}
	m.opStep("op %d: locked", func(t *state) {
		if t.take(i, op.Index, want); own && m.cfg.ComposerReserves {
			t.op[i].e = t.vl.trans[op.Index]
			m.reserved(t, i)
			return
		}
		m.ask(t, i, opMapW)
	}, i)
}

// ask passes MAPR or MAPW on. Unless replies are late the mapper answers in the same step: until
// then it is as if the op had not been taken up.
func (m *Model) ask(t *state, i int, p pc) {
	if t.op[i].pc = p; !m.cfg.LateReplies {
		m.lookup(t, i)
	}
}

// beginPresent starts an op on a sub-block that lies in the volume's own object.
func (m *Model) beginPresent(i int) {
	op := &m.cfg.Ops[i]
	if op.Kind == CopyUp {
		m.opStep("op %d: nothing to copy up", func(t *state) { m.acknowledge(t, i) }, i)
		return
	}
	if m.from.lockable(op.Index, 1<<op.Sub) {
		m.opStep("op %d: write in place passed on", func(t *state) {
			t.op[i].e, t.op[i].pc = t.vl.trans[op.Index], opInPlace
		}, i)
	}
}

// beginDiscard changes the entry's shape: all locks, and no write in place under way.
func (m *Model) beginDiscard(i int) {
	s, idx := m.from, m.cfg.Ops[i].Index
	if !m.fault(DiscardWithoutLocks) {
		if !s.lockable(idx, fullMask) || m.inPlaceOn(s, idx) {
			return
		}
	}
	m.opStep("op %d: locked whole, COMMIT of nothing passed on", func(t *state) {
		if !m.fault(DiscardWithoutLocks) {
			t.take(i, idx, fullMask)
		}
		t.op[i].e, t.op[i].pc = 0, opCommit
	}, i)
}

func (m *Model) inPlaceOn(s *state, idx uint8) bool {
	for j := range m.cfg.Ops {
		if s.op[j].pc == opInPlace && m.cfg.Ops[j].Index == idx {
			return true
		}
	}
	return false
}

func (s *state) lockable(idx, mask uint8) bool {
	for sub := range subs {
		if mask>>sub&1 == 1 && s.vl.lock[idx][sub] != 0 {
			return false
		}
	}
	return true
}

func (s *state) take(i int, idx, mask uint8) {
	for sub := range subs {
		if mask>>sub&1 == 1 {
			s.vl.lock[idx][sub] = uint8(i) + 1
		}
	}
}

// unlock gives all locks of op i back.
func (s *state) unlock(i int, idx uint8) {
	for sub := range subs {
		if s.vl.lock[idx][sub] == uint8(i)+1 {
			s.vl.lock[idx][sub] = 0
		}
	}
}

// drained says that nothing that was passed on for the volume is under way.
func (m *Model) drained(s *state) bool {
	for j := range m.cfg.Ops {
		switch p := s.op[j].pc; {
		case p == opMapR || p == opMapRAns:
			if !m.fault(DrainIgnoresLookups) {
				return false
			}
		case p > opQueued && p < opDrain:
			return false
		}
	}
	return true
}

// composerSteps: a composer that was killed comes back once nothing of its predecessor runs.
func (m *Model) composerSteps() {
	s := m.from
	if s.vl.down && (s.md.snap == snapIdle || m.fault(GhostSnapshot)) {
		m.step("composer restarted", func(t *state) {
			t.vl.down = false
			m.open(t)
		})
	}
	if s.ghost.there {
		m.step("ghost of the dead composer lands (object %d)", m.ghostLands, int(s.ghost.obj))
	}
}

func (m *Model) ghostLands(t *state) {
	g := t.ghost
	if t.ghost = (ghost{}); !g.commit {
		t.write(g.obj, g.sub, g.units, g.value)
		return
	}
	if e, ok := m.accept(t, g.idx, m.entry(g.e)); ok && t.nlog < maxLog {
		m.note(t, g.idx, e)
	}
}

// open is what the mapper does at OPEN.
func (m *Model) open(t *state) {
	if !m.fault(ReservationOutlivesComposer) {
		t.md.reserv = [maxIdx]uint8{}
	}
}
