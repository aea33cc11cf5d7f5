package table

// What a control step finds out about the tables.

// alive tells whether the port is still held by that incarnation, as i sees it.
func (m *Model) alive(s *state, i int, port, inc uint8) bool {
	e := &s.ports[port]
	if inc == 0 || !e.bound || e.inc != inc {
		return false
	}
	switch {
	case m.fault(LockByState):
		return true
	case m.fault(LiveJudgedDead) && e.lock != uint8(i)+1:
		return false
	}
	return e.lock != 0
}

// running tells whether a request of row r may still be worked on.
func (m *Model) running(s *state, i, r int) bool {
	var seen [maxRows]bool
	return m.reach(s, i, r, &seen)
}

func (m *Model) reach(s *state, i, r int, seen *[maxRows]bool) bool {
	c := &s.rows[r]
	if seen[r] || !c.inUse() || c.dstInc == 0 {
		return false
	}
	seen[r] = true
	if m.alive(s, i, c.dst, c.dstInc) {
		return true
	}
	if m.fault(PassedOnForgotten) {
		return false
	}
	for y := range s.rows {
		if s.rows[y].srcInc == c.dstInc && m.reach(s, i, y, seen) {
			return true
		}
	}
	return false
}

// leftover tells whether something that a dead predecessor of i had passed on may still run.
func (m *Model) leftover(s *state, i int) bool {
	if m.fault(NoOutwait) {
		return false
	}
	p, port := &s.peers[i], m.cfg.Peers[i].Port
	var dead [16]bool
	for r := range s.rows {
		if c := &s.rows[r]; c.inUse() && c.dst == port && c.dstInc != p.inc {
			dead[c.dstInc] = true
		}
	}
	dead[0] = false
	for r := range s.rows {
		c := &s.rows[r]
		old := c.src == port && c.srcInc != p.inc
		if (old || dead[c.srcInc]) && !m.alive(s, i, c.src, c.srcInc) && m.running(s, i, r) {
			return true
		}
	}
	return false
}

// judge marks the rows of dead submitters and returns the set of those that can go.
func (m *Model) judge(s *state, i int) (set uint8) {
	for r := range s.rows {
		if c := &s.rows[r]; c.st == rowLive && !m.alive(s, i, c.src, c.srcInc) {
			c.st = rowOrphan
		}
	}
	for r := range s.rows {
		c := &s.rows[r]
		if c.st == rowDrained || c.st == rowOrphan && (m.fault(ReapUndrained) || !m.running(s, i, r)) {
			set |= 1 << r
		}
	}
	return set
}

// matches is what a server checks of a row before it answers, and again before it signs.
func (m *Model) matches(s *state, i, r int, v *served) bool {
	c := &s.rows[r]
	return c.st == rowLive && c.dst == m.cfg.Peers[i].Port && c.src == v.src && c.srcInc == v.srcInc
}
