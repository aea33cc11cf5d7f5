package writepath

// good returns how many records a reader takes: it stops at the first bad one.
func (f *chunkFile) good() uint8 {
	for i := range f.n {
		if f.rec[i].bad {
			return i
		}
	}
	return f.n
}

// entries returns what the first n records (at most) over the base say.
func (f *chunkFile) entries(n uint8) [maxIdx]eid {
	es := f.base
	for i := range min(n, f.good()) {
		es[f.rec[i].idx] = f.rec[i].e
	}
	return es
}

// truncate cuts the file to n records, durably.
func (f *chunkFile) truncate(n uint8) {
	for i := n; i < f.n; i++ {
		f.rec[i] = chunkRec{}
	}
	f.n, f.durable = n, n
}

func (f *chunkFile) add(r chunkRec) {
	f.rec[f.n] = r
	f.n++
}

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

// chunkSteps write the values of the cut: appended to the epoch's chunk, or as a new chunk.
func (m *Model) chunkSteps() {
	s := m.from
	f := &s.file[s.epoch]
	reuse := m.fault(OrphanChunkReused) && f.exists
	switch {
	case s.chunk != s.epoch && m.fault(RecordBeforeChunk):
		m.step("flush: record written before its chunk", func(t *state) {
			base := t.file[t.chunk].entries(maxRecs)
			t.chunk, t.md.stale = t.epoch, base
			t.md.compact = 2
		})
		return
	case s.chunk != s.epoch && !reuse:
		m.step("flush: new chunk written", func(t *state) { m.replaceChunk(t, flushRecord) })
		return
	case reuse && s.chunk != s.epoch && !s.md.tailCut:
		m.step("flush: orphan chunk taken over", func(t *state) {
			t.md.known, t.md.tailCut = t.file[t.epoch].good(), true
		})
		return
	case s.md.compact == 2:
		m.step("flush: new chunk written after the record", func(t *state) {
			t.file[t.epoch] = chunkFile{exists: true, base: t.md.stale}
			t.md.compact, t.md.stale, t.md.known, t.md.tailCut = 0, [maxIdx]eid{}, 0, true
		})
		return
	}
	if s.compactions > 0 && s.chunk == s.epoch && !m.fault(CompactionBeside) {
		m.step("flush: chunk compacted", func(t *state) {
			t.compactions--
			m.replaceChunk(t, flushTrim)
		})
	}
	m.appendSteps(f)
}

// replaceChunk writes the epoch's chunk anew: what the named one says, and the cut over it.
func (m *Model) replaceChunk(t *state, next phase) {
	base := t.file[t.chunk].entries(maxRecs)
	for idx := range m.cfg.Indexes {
		if t.md.cutSet>>idx&1 == 1 {
			base[idx] = m.cutValue(t, idx)
		}
		if m.fault(CompactionOfPresent) {
			base[idx] = t.md.mem[idx]
		}
	}
	t.file[t.epoch] = chunkFile{exists: true, base: base}
	t.md.known, t.md.tailCut, t.md.flush = 0, true, next
	if m.fault(EntryBeforeSync) && next == flushTrim {
		t.md.flush = flushSync
	}
}

func (m *Model) cutValue(t *state, idx uint8) eid {
	if m.fault(FlushWritesPresent) {
		return t.md.mem[idx]
	}
	return t.md.cut[idx]
}

// appendSteps append the cut, one entry a step, behind the records that are known good.
func (m *Model) appendSteps(f *chunkFile) {
	s := m.from
	skip := m.fault(AppendOverTorn) || m.fault(AppendBehindTorn)
	if !skip && (!s.md.tailCut && f.n > 0 || f.n != s.md.known) {
		m.step("flush: tail of the chunk cut off", func(t *state) {
			t.file[t.epoch].truncate(t.md.known)
			t.md.tailCut = true
		})
		return
	}
	for idx := range m.cfg.Indexes {
		if s.md.cutSet>>idx&1 == 1 {
			m.step("flush: entry %d appended", func(t *state) {
				m.appendEntry(t, idx)
				t.md.known++
				t.md.cutSet &^= 1 << idx
				if t.md.tailCut = true; t.md.cutSet == 0 {
					t.md.flush = flushChunkSync
				}
			}, int(idx))
			return
		}
	}
}

// appendEntry appends at the end; or, planted, over the first bad record and nothing else.
func (m *Model) appendEntry(t *state, idx uint8) {
	f, r := &t.file[t.epoch], chunkRec{false, idx, m.cutValue(t, idx)}
	if m.fault(AppendOverTorn) && t.md.known < f.n {
		f.rec[t.md.known] = r
		f.durable = min(f.durable, t.md.known)
		return
	}
	f.add(r)
}

// recordWritten goes on after the record names the chunk.
func (m *Model) recordWritten(t *state) {
	if t.md.flush = flushTrim; m.fault(EntryBeforeSync) {
		t.md.flush = flushSync
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
