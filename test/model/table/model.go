package table

import "archipelago/test/model"

// Model explores one Config.
type Model struct {
	cfg  Config
	emit func(model.Step, *state)
	from *state
}

// Explore runs the model of cfg.
func Explore(cfg Config, opts model.Options) (model.Result, error) {
	return model.Explore[state](&Model{cfg: cfg}, opts)
}

// Init implements model.Model.
func (m *Model) Init() []state {
	s := state{kills: m.cfg.Kills, outs: m.cfg.Timeouts, stops: m.cfg.Stops}
	for i := range m.cfg.Peers {
		s.peers[i].lives = m.cfg.Peers[i].Lives
	}
	return []state{s}
}

// Next implements model.Model.
func (m *Model) Next(s *state, emit func(model.Step, *state)) {
	m.emit, m.from = emit, s
	for i := range m.cfg.Peers {
		if m.fault(ControlShared) {
			m.controlSteps(i)
		}
		m.lifeSteps(i)
		m.submitterSteps(i)
		m.serverSteps(i)
		m.killSteps(i)
	}
	if m.ended(s) && s.control == 0 {
		m.do("%d, a tool, collects what is left", maxPeers, m.collect)
	}
}

// collect is the next control step after all that is of interest. What nobody looks after any
// more, as the row of a submitter that died before it had a server, is left until then.
func (m *Model) collect(s *state) {
	m.undo(s)
	set := m.judge(s, maxPeers)
	for r := range s.rows {
		if set&(1<<r) != 0 {
			s.rows[r], s.ext[r] = row{}, extent{}
		}
	}
}

func (m *Model) fault(f Fault) bool { return m.cfg.Fault == f }

// do emits the state that change makes of the present one.
func (m *Model) do(text string, i int, change func(s *state)) {
	m.emitStep(model.Step{Text: text, A: i}, change)
}

// bad is do for what nothing may rely on.
func (m *Model) bad(text string, i int, change func(s *state)) {
	m.emitStep(model.Step{Text: text, A: i, Bad: true}, change)
}

func (m *Model) emitStep(st model.Step, change func(s *state)) {
	t := *m.from
	change(&t)
	for i := range m.cfg.Peers {
		m.runStep(&t, i)
	}
	t.normal()
	m.emit(st, &t)
}

// control is do for what needs the control lock.
func (m *Model) control(text string, i int, op uint8, r int) {
	if m.from.control == 0 || m.fault(ControlShared) {
		m.do(text, i, func(s *state) { s.ask(i, op, r) })
	}
}

// runStep does the whole control step of i, and emits what is left if i is killed within. The
// others don't come between: what they do without the lock can as well be done before or after
// it, as they see a row that is live or not, and nothing else.
func (m *Model) runStep(s *state, i int) {
	p := &s.peers[i]
	for p.job.op != opNone && p.st != isDying && !m.fault(ControlShared) {
		pc := p.job.pc
		m.micro(s, i)
		if s.kills == 0 || p.job.op == opNone {
			continue
		}
		t := *s
		m.kill(&t, i)
		t.normal()
		m.emit(model.Step{Text: opNames[p.job.op] + " by %d, killed after step %d of it", A: i, B: int(pc), Bad: true}, &t)
	}
}

// Check implements model.Model.
func (m *Model) Check(s *state) string {
	for i := range m.cfg.Peers {
		p := &s.peers[i]
		if p.ch == 0 || p.st != isUp {
			continue
		}
		if r := &s.rows[p.ch-1]; r.st != rowLive || r.srcInc != p.inc {
			return wrongs[lostRow]
		}
	}
	return wrongs[s.wrong]
}

// Done implements model.Model: submitters have ended, and but for what servers have between each
// other nothing is left.
func (m *Model) Done(s *state) bool {
	for r := range s.rows {
		if s.rows[r].st != rowFree && !m.between(s, r) {
			return false
		}
	}
	return m.ended(s)
}

// ended tells whether submitters have ended, and servers are idle.
func (m *Model) ended(s *state) bool {
	for i := range m.cfg.Peers {
		switch p := &s.peers[i]; {
		case p.st == isGone || p.st == isDown && (p.lives == 0 || !m.mayStart(s, i)):
		case m.cfg.Peers[i].Serves && p.st == isUp && p.job.op == opNone && !p.stopping:
		default:
			return false
		}
	}
	return true
}

// between tells whether row r belongs to a server that lives, and that has no request on it.
func (m *Model) between(s *state, r int) bool {
	for i := range m.cfg.Peers {
		if p := &s.peers[i]; m.cfg.Peers[i].Serves && p.st == isUp && p.ch == uint8(r)+1 {
			return s.ext[r].st == reqNone && p.shake == shakeLive
		}
	}
	return false
}

// normal renumbers serials and pushes, of which only equality matters.
func (s *state) normal() {
	var serial, push renumber
	for r := range s.rows {
		serial.visit(&s.rows[r].serial)
		push.visit(&s.ext[r].push)
		push.visit(&s.ext[r].buf.push)
	}
	for i := range s.peers {
		p := &s.peers[i]
		serial.visit(&p.serial)
		push.visit(&p.push)
		for r := range p.sv {
			serial.visit(&p.sv[r].serial)
			serial.visit(&p.sv[r].sent)
			push.visit(&p.sv[r].push)
			push.visit(&p.sv[r].buf.push)
		}
	}
	s.serials, s.pushes = serial.n, push.n
}

// renumber gives numbers new ones in the order in which they are seen; 0 stays.
type renumber struct {
	to [64]uint8
	n  uint8
}

func (r *renumber) visit(v *uint8) {
	if *v == 0 {
		return
	}
	if r.to[*v] == 0 {
		r.n++
		r.to[*v] = r.n
	}
	*v = r.to[*v]
}

func (s *state) newSerial() uint8 { s.serials++; return s.serials }
func (s *state) newPush() uint8   { s.pushes++; return s.pushes }

func (s *state) fail(w wrong) {
	if s.wrong == nothing {
		s.wrong = w
	}
}
