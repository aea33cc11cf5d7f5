package writepath

// write puts value into the units of a sub-block of an object, as the page cache sees it.
func (s *state) write(obj, sub, mask, value uint8) {
	for k := range uint8(2) {
		if mask>>k&1 == 1 {
			s.put(obj, sub*2+k, value)
		}
	}
}

// put creates the object if need be, and marks it dirty before it writes.
func (s *state) put(obj, u, value uint8) {
	o := &s.obj[obj]
	if !o.exists {
		o.exists, o.durable = true, false
		for k := range units {
			o.cur[k], o.poss[k] = zero, zero
		}
	}
	o.dirty = true
	o.cur[u] = value
	o.poss[u] |= value
	o.failed &^= 1 << u
}

// dataStep does what op i asked of the data blocker, and goes on.
func (m *Model) dataStep(t *state, i int) {
	p := t.op[i].pc
	m.apply(t, i, bothUnits)
	switch p {
	case opMerge:
		if m.cfg.ComposerReserves {
			t.op[i].pc = opCommit
			return
		}
		m.prepare(t, i)
	case opCopy:
		m.copied(t, i)
	case opData:
		m.written(t, i)
	case opInPlace:
		m.finish(t, i)
	}
}

// apply is the effect of a request at the data blocker; only is the units that a kill let through.
func (m *Model) apply(t *state, i int, only uint8) {
	op, o := &m.cfg.Ops[i], &t.op[i]
	e := m.entry(o.e)
	switch own := e.lv[0].obj; o.pc {
	case opMerge:
		mask := e.visible(2)
		if !m.cfg.ComposerReserves {
			mask &^= 1 << op.Sub // copied later, as far as the write needs it
		}
		m.copyDown(t, e, mask, only)
	case opCopy:
		if m.cfg.ComposerReserves {
			only &^= op.Units
		}
		m.copyDown(t, e, 1<<op.Sub, only)
	case opData, opInPlace:
		t.write(own, op.Sub, op.Units&only, op.Value)
	}
}

// copyDown copies the sub-blocks in mask from the levels below into level 0.
func (m *Model) copyDown(t *state, e entry, mask, only uint8) {
	own := e.lv[0].obj
	e = e.without(0)
	for u := range uint8(units) {
		if mask>>(u/2)&1 == 1 && only>>(u%2)&1 == 1 {
			val, _ := t.value(e, int(u))
			t.put(own, u, val)
		}
	}
}

// sync makes durable every object that the blocker knows to be dirty; but not what an earlier
// sync failed to write, for the kernel holds that for clean.
func (s *state) sync() {
	for i := range s.obj {
		o := &s.obj[i]
		if !o.dirty {
			continue
		}
		o.dirty, o.durable = false, true
		for u := range units {
			if o.failed>>u&1 == 0 {
				o.poss[u] = o.cur[u]
			}
		}
	}
}

// failSync is a sync of which nothing is known to have come through.
func (s *state) failSync() {
	for i := range s.obj {
		o := &s.obj[i]
		for u := range units {
			if o.dirty && o.poss[u] != o.cur[u] {
				o.failed |= 1 << u
			}
		}
		o.dirty = false
	}
}

// hasBad says whether an object of the volume failed to sync and wasn't rewritten.
func (s *state) hasBad() bool {
	for i := range s.obj {
		if s.obj[i].failed != 0 {
			return true
		}
	}
	return false
}
