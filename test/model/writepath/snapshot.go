package writepath

// snapshotSteps are the mapper's steps of a snapshot. They go on if the composer that asked is
// killed; they end with the mapper.
func (m *Model) snapshotSteps() {
	s := m.from
	switch s.md.snap {
	case snapIdle:
		m.snapshotBegins()
	case snapEpoch:
		if m.fault(SnapshotBeforeEpoch) && !s.snap.exists {
			m.step("snapshot: record of the snapshot written", func(t *state) { m.snapshotTaken(t, t.chunk) })
			return
		}
		m.step("snapshot: record with epoch+1 written", func(t *state) {
			t.epoch++
			t.md.reserv = [maxIdx]uint8{}
			if t.md.snap = snapRecord; m.fault(SnapshotBeforeEpoch) {
				m.snapshotDone(t)
			}
		})
	case snapRecord:
		m.step("snapshot: record of the snapshot written", func(t *state) {
			m.snapshotTaken(t, t.chunk)
			m.snapshotDone(t)
		})
	}
}

func (m *Model) snapshotBegins() {
	s := m.from
	for i := range m.cfg.Ops {
		if s.op[i].pc != opSnap || s.md.flush != flushIdle {
			continue
		}
		if s.snap.exists {
			m.step("op %d: snapshot exists with this id", func(t *state) { t.op[i].pc = opSnapAns }, i)
			return
		}
		m.step("op %d: snapshot begins", func(t *state) {
			t.md.snap, t.md.snapOp = snapFlush, uint8(i)+1
			if m.fault(SnapshotWithoutFlush) {
				t.md.snap = snapEpoch
			}
		}, i)
		return
	}
}

// snapshotTaken makes the snapshot's record; what it shows now it has to show for good, and it has
// to be what the volume's clients expect now.
func (m *Model) snapshotTaken(t *state, chunk uint8) {
	t.snap = snapRec{exists: true, chunk: chunk}
	es := t.file[chunk].entries(maxRecs)
	for idx := range m.cfg.Indexes {
		for u := range units {
			val, _ := t.value(m.entry(es[idx]), u)
			t.snap.val[idx][u] = val
			if val&t.allowed[idx][u] == 0 {
				t.bad = wrongSnapshot
			}
		}
	}
}

// snapshotDone answers whoever waits; nobody, if the composer was killed meanwhile.
func (m *Model) snapshotDone(t *state) {
	if i := t.md.snapOp; i > 0 && t.op[i-1].pc == opSnap {
		t.op[i-1].pc = opSnapAns
	}
	t.md.snap, t.md.snapOp = snapIdle, 0
}
