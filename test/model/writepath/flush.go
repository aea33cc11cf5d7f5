package writepath

// flushSteps are the steps of the mapper's one flush.
func (m *Model) flushSteps() {
	s := m.from
	switch s.md.flush {
	case flushIdle:
		m.cutSteps()
	case flushSync:
		m.syncSteps()
	case flushChunk:
		m.chunkSteps()
	case flushChunkSync:
		m.step("flush: chunk synced", func(t *state) {
			t.file[t.epoch].durable = t.file[t.epoch].n
			t.md.flush = flushRecord
		})
	case flushRecord:
		m.step("flush: record written", func(t *state) {
			t.chunk = t.epoch
			m.recordWritten(t)
		})
	case flushTrim:
		m.step("flush: log trimmed to the cut, answered", m.trim)
	}
}

// cutSteps begin a flush where somebody wants one.
func (m *Model) cutSteps() {
	s := m.from
	wanted := s.md.snap == snapFlush
	for i := range m.cfg.Ops {
		wanted = wanted || s.op[i].pc == opFlush
	}
	switch {
	case s.md.snap > snapFlush:
	case wanted:
		m.step("flush: cut", m.cut)
	case s.nlog >= m.cfg.LogRoom:
		m.step("flush: cut, for the log is full", m.cut)
	case s.selfFlushes > 0 && s.nlog > 0:
		m.step("flush: cut by the mapper itself", func(t *state) {
			t.selfFlushes--
			m.cut(t)
		})
	}
}

// cut copies the values of the pending entries; who asks later waits for the next cut.
func (m *Model) cut(t *state) {
	t.md.cutLen, t.md.cutSet, t.md.cutOps = t.nlog, 0, 0
	for _, r := range t.log[:t.nlog] {
		t.md.cutSet |= 1 << r.idx
		t.md.cut[r.idx] = t.md.mem[r.idx]
	}
	for i := range m.cfg.Ops {
		if t.op[i].pc == opFlush {
			t.md.cutOps |= 1 << i
		}
	}
	t.md.trashed, t.md.trash = t.md.trashed|t.md.trash, 0
	if m.fault(ReplayTrustsChunk) {
		t.md.cutSet &^= m.shownByChunk(t)
	}
	t.md.flush = flushSync
	if m.fault(EntryBeforeSync) && t.md.cutSet != 0 {
		t.md.flush = flushChunk
	}
}

// shownByChunk returns the indexes whose present entry is in the page cache of the chunk.
func (m *Model) shownByChunk(t *state) (set uint8) {
	es := t.file[t.chunk].entries(maxRecs)
	for idx := range m.cfg.Indexes {
		if es[idx] == t.md.mem[idx] {
			set |= 1 << idx
		}
	}
	return set
}

// syncSteps sync the data, or fail: a bad object fails every flush until it is rewritten.
func (m *Model) syncSteps() {
	s := m.from
	if s.hasBad() && !m.fault(FailedSyncForgotten) {
		m.step("flush: fails, an object is bad", m.failFlush)
		return
	}
	m.step("flush: objects synced", m.syncObjects)
	if s.syncFailures > 0 {
		m.crash("flush: sync of the objects fails", func(t *state) {
			t.syncFailures--
			t.failSync()
			m.failFlush(t)
		})
	}
}

// failFlush answers whoever waits with an error; the entries stay pending.
func (m *Model) failFlush(t *state) {
	for i := range m.cfg.Ops {
		if t.md.cutOps>>i&1 == 1 && t.op[i].pc == opFlush {
			t.lose(i)
		}
	}
	if i := t.md.snapOp; i > 0 && t.op[i-1].pc == opSnap {
		t.vl.frozen = 0
		t.vl.has, t.vl.trans, t.vl.own = [maxIdx]bool{}, [maxIdx]eid{}, [maxIdx]bool{}
		t.lose(int(i - 1))
	}
	t.md.snap, t.md.snapOp, t.md.flush, t.md.cutOps, t.md.cutLen, t.md.cutSet = 0, 0, flushIdle, 0, 0, 0
	t.md.cut = [maxIdx]eid{}
	t.md.trash, t.md.trashed = t.md.trash|t.md.trashed, 0
}

func (m *Model) syncObjects(t *state) {
	t.sync()
	t.md.flush = flushChunk
	if t.md.cutSet == 0 || m.fault(EntryBeforeSync) {
		t.md.flush = flushTrim
	}
}

// trim ends the flush: the log loses what the cut had, those who waited for the cut are answered.
func (m *Model) trim(t *state) {
	n := t.md.cutLen
	if m.fault(LogTrimmedBeyondCut) {
		n = t.nlog
	}
	copy(t.log[:], t.log[n:])
	t.nlog -= n
	for k := t.nlog; k < maxLog; k++ {
		t.log[k] = logRec{}
	}
	for i := range m.cfg.Ops {
		if t.md.cutOps>>i&1 == 1 && t.op[i].pc == opFlush {
			m.acknowledge(t, i)
		}
	}
	t.md.free |= t.md.trashed
	t.md.flush, t.md.trashed, t.md.cutOps, t.md.cutLen, t.md.cutSet = flushIdle, 0, 0, 0, 0
	t.md.cut = [maxIdx]eid{}
	if t.md.snap == snapFlush {
		t.md.snap = snapEpoch
	}
}
