package writepath

// intern gives an entry its number. Numbers only grow, so that a step taken again gives the
// same state.
func (m *Model) intern(e entry) eid {
	if n, ok := m.numbers[e]; ok {
		return n
	}
	if len(m.entries) > 255 {
		panic("writepath: more than 256 different entries")
	}
	n := eid(len(m.entries))
	m.entries = append(m.entries, e)
	m.numbers[e] = n
	return n
}

func (m *Model) entry(n eid) entry { return m.entries[n] }

// visible returns the sub-blocks that a reader takes from level i.
func (e entry) visible(i uint8) uint8 {
	mask := e.lv[i].mask
	for j := range i {
		mask &^= e.lv[j].mask
	}
	return mask
}

// below returns the sub-blocks that some level from i on holds.
func (e entry) below(i uint8) uint8 {
	mask := uint8(0)
	for ; i < e.n; i++ {
		mask |= e.lv[i].mask
	}
	return mask
}

// without returns e without level i.
func (e entry) without(i uint8) entry {
	copy(e.lv[i:], e.lv[i+1:])
	e.n--
	e.lv[e.n] = level{}
	return e
}

// pushed returns e with a new level 0.
func (e entry) pushed(l level) entry {
	copy(e.lv[1:], e.lv[:e.n])
	e.lv[0] = l
	e.n++
	return e
}

// normal drops what a complete level 0 hides.
func (e entry) normal() entry {
	if e.n == 0 || e.lv[0].mask != fullMask {
		return e
	}
	return entry{n: 1, lv: [maxLevels + 1]level{e.lv[0]}}
}

// isOwn says whether level 0 is an object of the volume's present epoch.
func (s *state) isOwn(e entry) bool { return e.n > 0 && s.obj[e.lv[0].obj].epoch == s.epoch }

// follows says whether the levels of c below its level 0 are those of m, or lack levels of which
// no visible sub-block is missing in c's level 0.
func (e entry) follows(m entry) bool {
	i := uint8(1)
	for j := range m.n {
		if i < e.n && e.lv[i] == m.lv[j] {
			i++
		} else if m.visible(j)&^e.lv[0].mask != 0 {
			return false
		}
	}
	return i == e.n
}

// value returns what unit u reads as through e, and the object that it comes from (0 = none).
// A missing object reads as no value at all.
func (s *state) value(e entry, u int) (val, obj uint8) {
	for i := range e.n {
		if e.lv[i].mask>>(u/2)&1 == 0 {
			continue
		}
		o := &s.obj[e.lv[i].obj]
		if !o.exists {
			return 0, e.lv[i].obj
		}
		return o.cur[u], e.lv[i].obj
	}
	return zero, 0
}
