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
