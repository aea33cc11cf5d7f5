package table

import "archipelago/test/model"

// Control steps.
const (
	opNone    = iota
	opClaim   // take the port's lock and write its entry
	opOutwait // look whether the predecessor's work is over
	opConnect // take a row
	opRenew
	opSign
	opRelease
	opClose
	opUnbind
)

var opNames = [...]string{"", "claim", "outwait", "connect", "renew", "sign", "release",
	"close", "unbind"}

// Positions in a control step. A kill between two of them is one at a named step of the code.
const (
	pcWant    = iota
	pcLocked  // control-locked
	pcStep    // control-step
	pcClaimed // bind-locked
	pcCollect // bind-signed
	pcFree    // what is in the set goes, one by one
	pcPunched // reap-punched
	pcBody    // the rest, after dead channels were collected
	pcSetup   // setup-entry, setup-backed
	pcDone    // control-done
)

// ask makes peer i want a control step.
func (s *state) ask(i int, op uint8, r int) { s.peers[i].job = job{op: op, row: uint8(r)} }

// controlSteps is for an instance in which control steps mix.
func (m *Model) controlSteps(i int) {
	if p := &m.from.peers[i]; p.job.op != opNone && p.st != isDying {
		m.emitStep(model.Step{Text: opNames[p.job.op] + " by %d, step %d", A: i, B: int(p.job.pc)},
			func(s *state) { m.micro(s, i) })
	}
}

// micro is one part of a control step.
func (m *Model) micro(s *state, i int) {
	j := &s.peers[i].job
	switch j.pc {
	case pcWant:
		m.lock(s, i)
	case pcLocked:
		s.step, j.pc = j.op, pcStep
	case pcStep:
		m.beginStep(s, i)
	case pcClaimed:
		m.signPort(s, i)
	case pcCollect:
		j.set, j.pc = m.judge(s, i), pcFree
	case pcFree, pcPunched:
		m.free(s, i)
	case pcBody:
		m.body(s, i)
	case pcSetup:
		m.goLive(s, i)
	case pcDone:
		m.unlock(s, i)
	}
}

// lock takes the control lock, and undoes what a killed holder left half done.
func (m *Model) lock(s *state, i int) {
	s.control = uint8(i) + 1
	s.peers[i].job.pc = pcLocked
	m.undo(s)
}

// undo ends connects that were killed half-way.
func (m *Model) undo(s *state) {
	if s.step == opNone || m.fault(SetupsStay) {
		return
	}
	for r := range s.rows {
		if s.rows[r].st == rowSetup {
			s.rows[r], s.ext[r] = row{}, extent{}
		}
	}
}

func (m *Model) unlock(s *state, i int) {
	s.step = opNone
	if s.control == uint8(i)+1 {
		s.control = 0
	}
	j := s.peers[i].job
	s.peers[i].job = job{}
	m.after(s, i, j)
}

// free gives the first row of the set back: first its state says that it goes, then its memory
// goes, then it is free.
func (m *Model) free(s *state, i int) {
	j := &s.peers[i].job
	for r := range s.rows {
		if j.set&(1<<r) == 0 {
			continue
		}
		if j.pc == pcFree {
			s.rows[r].st, s.ext[r], j.pc = rowDrained, extent{}, pcPunched
			return
		}
		s.rows[r], j.pc = row{}, pcFree
		j.set &^= 1 << r
		break
	}
	if j.set == 0 {
		j.pc = pcBody
	}
}

// beginStep does what comes before dead channels are collected, if they are.
func (m *Model) beginStep(s *state, i int) {
	p, port := &s.peers[i], m.cfg.Peers[i].Port
	j := &p.job
	j.pc = pcCollect
	switch j.op {
	case opClaim:
		j.pc = pcDone
		if e := &s.ports[port]; e.lock == 0 {
			e.lock, j.pc = uint8(i)+1, pcClaimed
		}
	case opRenew, opSign:
		j.pc = pcBody
	case opRelease:
		c, v := &s.rows[j.row], &p.sv[j.row]
		if m.fault(ReleaseUnchecked) || c.dstInc == p.inc && (c.serial == v.serial || m.fault(ReleaseNoSerial)) {
			c.dstInc = 0
		}
	case opClose:
		if c := &s.rows[p.ch-1]; c.st == rowLive && c.srcInc == p.inc {
			c.st = rowOrphan
		}
	case opUnbind:
		for r := range s.rows {
			if c := &s.rows[r]; c.dst == port && c.dstInc == p.inc {
				c.dstInc = 0
			}
		}
		s.ports[port].inc, s.ports[port].bound = 0, false
	}
}

func (m *Model) signPort(s *state, i int) {
	p, e := &s.peers[i], &s.ports[m.cfg.Peers[i].Port]
	s.incs++
	p.inc, e.inc, e.bound = s.incs, s.incs, true
	p.job.pc = pcCollect
}

// body is what comes after dead channels were collected.
func (m *Model) body(s *state, i int) {
	p := &s.peers[i]
	j := &p.job
	j.pc, j.ok = pcDone, true
	switch j.op {
	case opOutwait:
		if j.ok = !m.leftover(s, i); j.ok {
			m.inherit(s, i)
		}
	case opConnect:
		m.takeRow(s, i)
	case opRenew:
		j.ok = m.renew(s, i)
	case opSign:
		j.ok = m.sign(s, i, int(j.row))
	}
}

func (m *Model) inherit(s *state, i int) {
	for r := range s.rows {
		if c := &s.rows[r]; c.inUse() && c.dst == m.cfg.Peers[i].Port && c.dstInc != s.peers[i].inc {
			c.dstInc = 0
		}
	}
}

func (m *Model) takeRow(s *state, i int) {
	p := &s.peers[i]
	for r := range s.rows {
		if s.rows[r].st == rowFree {
			s.rows[r] = row{st: rowSetup, src: m.cfg.Peers[i].Port, dst: m.cfg.Peers[i].Dst,
				srcInc: p.inc, serial: s.newSerial()}
			p.job.pc, p.job.row = pcSetup, uint8(r)
			return
		}
	}
	s.fail(tooMany)
}

func (m *Model) goLive(s *state, i int) {
	j := &s.peers[i].job
	s.rows[j.row].st = rowLive
	j.pc, j.ok = pcDone, true
}

func (m *Model) renew(s *state, i int) bool {
	p := &s.peers[i]
	c := &s.rows[p.ch-1]
	if c.st != rowLive || c.srcInc != p.inc || !m.alive(s, i, m.cfg.Peers[i].Dst, p.heard) {
		return false
	}
	p.serial = s.newSerial()
	c.serial, c.dstInc = p.serial, 0
	return true
}

func (m *Model) sign(s *state, i, r int) bool {
	p, c := &s.peers[i], &s.rows[r]
	v := &p.sv[r]
	if !m.matches(s, i, r, v) || !m.alive(s, i, v.src, v.srcInc) {
		return false
	}
	if !m.fault(SignUnchecked) && (c.dstInc != 0 || c.serial != v.serial && !m.fault(SignNoSerial)) {
		return false
	}
	c.dstInc = p.inc
	return true
}
