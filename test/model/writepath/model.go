package writepath

import (
	"archipelago/test/model"
)

// Model explores one Config.
type Model struct {
	cfg     Config
	entries []entry
	numbers map[entry]eid
	first   uint8 // first object slot for births
	emit    func(model.Step, *state)
	from    *state
}

// New returns the model of cfg.
func New(cfg Config) *Model {
	if cfg.Indexes == 0 {
		cfg.Indexes = 1
	}
	if cfg.LogRoom == 0 {
		cfg.LogRoom = maxLog
	}
	m := &Model{cfg: cfg, numbers: map[entry]eid{}}
	m.intern(entry{})
	return m
}

// Explore runs the model of cfg.
func Explore(cfg Config, opts model.Options) (model.Result, error) {
	return model.Explore[state](New(cfg), opts)
}

// Init implements model.Model.
func (m *Model) Init() []state {
	s := state{epoch: 1, logEpoch: 1, kills: m.cfg.Kills, cuts: m.cfg.PowerCuts,
		selfFlushes: m.cfg.SelfFlushes, compactions: m.cfg.Compactions,
		syncFailures: m.cfg.SyncFailures}
	m.first = 1
	s.file[0].exists = true
	for idx := range m.cfg.Indexes {
		s.file[0].base[idx] = m.initVolume(&s, idx)
	}
	if m.cfg.Volume == HalfOld || m.cfg.Volume == Sparse {
		s.file[1], s.chunk = s.file[0], 1
	}
	for idx := range maxIdx {
		for u := range units {
			val, _ := s.value(m.entry(s.file[0].base[idx]), u)
			s.allowed[idx][u], s.safe[idx][u] = val, val
		}
	}
	m.load(&s)
	return []state{s}
}

// initVolume makes the objects that are there to begin with, and returns the entry.
func (m *Model) initVolume(s *state, idx uint8) eid {
	switch m.cfg.Volume {
	case Cloned:
		return m.intern(entry{n: 1, lv: [4]level{{m.initObject(s, 0, parent), fullMask}}})
	case Deep:
		e := entry{n: 3}
		e.lv[0] = level{m.initObject(s, 0, parent), 1}
		e.lv[1] = level{m.initObject(s, 0, middle), 2}
		e.lv[2] = level{m.initObject(s, 0, zero), 3}
		return m.intern(e)
	case HalfOld, Sparse:
		e := entry{n: 2}
		e.lv[0] = level{m.initObject(s, 1, middle), 1}
		e.lv[1] = level{m.initObject(s, 0, parent), fullMask}
		if m.cfg.Volume == Sparse {
			e.lv[1].mask = 1
		}
		return m.intern(e)
	}
	return 0
}

func (m *Model) initObject(s *state, epoch, val uint8) uint8 {
	slot := m.first
	m.first++
	o := &s.obj[slot]
	*o = object{exists: true, durable: true, epoch: epoch}
	for u := range units {
		o.cur[u], o.poss[u] = val, val
	}
	return slot
}

// Next implements model.Model.
func (m *Model) Next(s *state, emit func(model.Step, *state)) {
	m.emit, m.from = emit, s
	for i := range m.cfg.Ops {
		m.opSteps(i)
	}
	m.composerSteps()
	m.flushSteps()
	m.snapshotSteps()
	m.mapperSteps()
	m.killSteps()
	m.powerCutSteps()
}

// step emits the state that change makes of the present one.
func (m *Model) step(text string, change func(*state), args ...int) {
	m.emitStep(model.Step{Text: text}, change, args)
}

// crash is step for kills and power cuts: nothing may wait for one.
func (m *Model) crash(text string, change func(*state), args ...int) {
	m.emitStep(model.Step{Text: text, Bad: true}, change, args)
}

func (m *Model) emitStep(st model.Step, change func(*state), args []int) {
	t := *m.from
	change(&t)
	m.settle(&t)
	if len(args) > 0 {
		st.A = args[0]
	}
	if len(args) > 1 {
		st.B = args[1]
	}
	m.emit(st, &t)
}

// Done implements model.Model.
func (m *Model) Done(s *state) bool {
	for i := range m.cfg.Ops {
		if s.op[i].pc < opDone {
			return false
		}
	}
	return !s.vl.down
}

func (m *Model) fault(f Fault) bool { return m.cfg.Fault == f }
