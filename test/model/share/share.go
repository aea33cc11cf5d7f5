package share

import "archipelago/test/model"

// Fault breaks one rule.
type Fault uint8

// Faults.
const (
	NoFault Fault = iota
	CloneWithoutPending
	CheckIgnoresTombstone
	TombstonesListedLast
	PendingNotMarked
	RenameNotCounted
	RenameCountedEarly
	numFaults
)

func (f Fault) String() string {
	return [numFaults]string{"NoFault", "CloneWithoutPending", "CheckIgnoresTombstone",
		"TombstonesListedLast", "PendingNotMarked", "RenameNotCounted",
		"RenameCountedEarly"}[f]
}

// Model is one snapshot, one clone, one remover, one collector.
type Model struct {
	Rename bool // the clone is renamed, too
	Fault  Fault
	// SnapshotFirst: the listing comes to the snapshot's name before the clone's.
	SnapshotFirst bool
}

// clone is a clone's record.
type clone uint8

const (
	none clone = iota
	pending
	usable
)

// state of the store and of the four at work. A pc of over is finished or killed.
type state struct {
	snapshot  bool // its record is there
	tombstone bool
	objects   bool
	names     [2]clone // the clone's record under its first and its second name
	renames   uint8    // counted renames

	clonePC, removePC, renamePC, sweepPC uint8

	seenTombstone bool
	seenRecord    bool
	marked        bool
	seenRenames   uint8
}

const over = 99

// Init implements model.Model.
func (m *Model) Init() []state {
	s := state{snapshot: true, objects: true, renamePC: over}
	if m.Rename {
		s.renamePC = 0
	}
	return []state{s}
}

// Next implements model.Model.
func (m *Model) Next(s *state, emit func(model.Step, *state)) {
	step := func(text string, change func(*state)) {
		t := *s
		change(&t)
		emit(model.Step{Text: text}, &t)
	}
	m.cloneSteps(s, step)
	m.removeSteps(s, step)
	m.renameSteps(s, step)
	m.sweepSteps(s, step)
	m.kills(s, emit)
}

// cloneSteps: a PENDING record, then a second look at the origin. Whoever opens a PENDING clone
// later takes the second look as well; that is the same step here.
func (m *Model) cloneSteps(s *state, step func(string, func(*state))) {
	switch s.clonePC {
	case 0:
		step("clone: origin read", func(t *state) {
			if t.clonePC = 1; !t.snapshot {
				t.clonePC = over
			}
		})
	case 1:
		step("clone: PENDING record created", func(t *state) {
			t.names[0], t.clonePC = pending, 2
			if m.Fault == CloneWithoutPending {
				t.names[0], t.clonePC = usable, over
			}
		})
	case 2:
		step("clone: second look", func(t *state) {
			if t.clonePC = 3; !t.snapshot || t.tombstone && m.Fault != CheckIgnoresTombstone {
				t.names[0], t.clonePC = none, over
			}
		})
	case 3:
		step("clone: PENDING cleared", func(t *state) { t.names[0], t.clonePC = usable, over })
	}
}

// removeSteps: tombstone, then the record goes.
func (m *Model) removeSteps(s *state, step func(string, func(*state))) {
	switch s.removePC {
	case 0:
		step("remove: tombstone written", func(t *state) { t.tombstone, t.removePC = true, 1 })
	case 1:
		step("remove: record removed", func(t *state) { t.snapshot, t.removePC = false, over })
	}
}

// renameSteps: the count goes up when both names are there. A listing that began before sees
// another count at its end; one that begins later sees the second name.
func (m *Model) renameSteps(s *state, step func(string, func(*state))) {
	if s.names[0] != usable && s.renamePC == 0 {
		return
	}
	early := m.Fault == RenameCountedEarly
	create := func(t *state) { t.names[1], t.renamePC = usable, t.renamePC+1 }
	counted := func(t *state) {
		if t.renamePC++; m.Fault != RenameNotCounted {
			t.renames++
		}
	}
	switch pc := s.renamePC; {
	case pc == 0 && early || pc == 1 && !early:
		step("rename: counted", counted)
	case pc < 2:
		step("rename: second name created", create)
	case pc == 2:
		step("rename: first name removed", func(t *state) { t.names[0], t.renamePC = none, over })
	}
}

// sweepSteps: tombstones, then records one by one, then what is dead and unmarked goes, unless a
// rename may have hidden a record from the listing.
func (m *Model) sweepSteps(s *state, step func(string, func(*state))) {
	look := func(text string, f func(*state)) { step(text, func(t *state) { f(t); t.sweepPC++ }) }
	order := []int{1, 0, 2}
	if m.SnapshotFirst {
		order = []int{2, 1, 0}
	}
	tombstones := func(t *state) { t.seenTombstone, t.seenRenames = t.tombstone, t.renames }
	late := m.Fault == TombstonesListedLast
	switch pc := s.sweepPC; {
	case pc == 0:
		look("sweep: tombstones listed", func(t *state) {
			if t.seenRenames = t.renames; !late {
				tombstones(t)
			}
		})
	case pc <= 3:
		look("sweep: a name listed", func(t *state) { m.list(t, order[pc-1]) })
	case pc == 4:
		look("sweep: tombstones listed again", func(t *state) {
			if late {
				t.seenTombstone = t.tombstone
			}
		})
	case pc == 5:
		step("sweep: dead objects deleted", func(t *state) {
			if t.seenTombstone && !t.seenRecord && !t.marked && t.seenRenames == t.renames {
				t.objects = false
			}
			t.sweepPC = over
		})
	}
}

// list looks at one name: the clone's two, or the snapshot's (2).
func (m *Model) list(t *state, name int) {
	if name == 2 {
		t.seenRecord = t.snapshot
		return
	}
	if c := t.names[name]; c == usable || c == pending && m.Fault != PendingNotMarked {
		t.marked = true
	}
}

// kills end one of them for good; a sweep begins again.
func (m *Model) kills(s *state, emit func(model.Step, *state)) {
	kill := func(text string, change func(*state)) {
		t := *s
		change(&t)
		emit(model.Step{Text: text, Bad: true}, &t)
	}
	if s.removePC == 1 {
		kill("remover killed", func(t *state) { t.removePC = 0 })
	}
	if s.clonePC > 0 && s.clonePC < 2 {
		kill("cloner killed", func(t *state) { t.clonePC = over })
	}
	if s.sweepPC > 0 {
		kill("sweep killed or begun again", func(t *state) {
			t.sweepPC, t.seenTombstone, t.seenRecord, t.marked, t.seenRenames = 0, false, false, false, 0
		})
	}
}

// Check implements model.Model.
func (m *Model) Check(s *state) string {
	if !s.objects && (s.names[0] == usable || s.names[1] == usable) {
		return "a usable clone has lost its objects"
	}
	return ""
}

// Done implements model.Model.
func (m *Model) Done(s *state) bool {
	renamed := s.renamePC == over || s.renamePC == 0 && s.names[0] != usable
	return s.clonePC == over && s.removePC == over && s.sweepPC == over && renamed
}
