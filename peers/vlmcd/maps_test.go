package vlmcd

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// fakeMapper is a mapper in memory that holds its caller to the contract: what a correct engine
// never does ends the test.
type fakeMapper struct {
	w      *world
	byName map[string]*vmap
	done   map[[16]byte]mapper.Info // of control operations, by id
	serial uint64
	counts map[mapper.Kind]int
	sticky bool // remembers reservations, which the contract allows within one engine's life
	stale  int  // percent of COMMITs that find their reservation forgotten
	// noSpace makes every COMMIT fail, as a full disk may.
	noSpace bool
}

type vmap struct {
	info     mapper.Info
	open     bool
	owned    bool // the lock is held by this mapper: since the last MAPW or Open
	entries  map[int64]mapfmt.Entry
	durable  map[int64]mapfmt.Entry // what a power cut leaves
	reserved map[int64]mapfmt.Level
}

func newMaps(w *world) *fakeMapper {
	return &fakeMapper{w: w, byName: map[string]*vmap{}, done: map[[16]byte]mapper.Info{}, counts: map[mapper.Kind]int{}}
}

func (m *fakeMapper) uuid() (u UUID) {
	m.serial++
	binary.BigEndian.PutUint64(u[8:], m.serial)
	u[0] = 0xaa
	return u
}

// create makes a blank volume, open or not.
func (m *fakeMapper) create(name string, size, objectSize int64) mapper.Info {
	info := mapper.Info{UUID: m.uuid(), Name: name, Size: size, ObjectSize: objectSize, Epoch: 1}
	m.byName[name] = &vmap{info: info, entries: map[int64]mapfmt.Entry{}, durable: map[int64]mapfmt.Entry{},
		reserved: map[int64]mapfmt.Level{}}
	return info
}

// clone makes a volume from a snapshot.
func (m *fakeMapper) clone(name, snapshot string) mapper.Info {
	s := m.byName[snapshot]
	info := m.create(name, s.info.Size, s.info.ObjectSize)
	v := m.byName[name]
	v.entries, v.durable = maps.Clone(s.entries), maps.Clone(s.entries)
	return info
}

// restart is a mapper that was killed and started again: what was committed is there (the pending
// log), the rest isn't.
func (m *fakeMapper) restart() {
	for _, v := range m.byName {
		v.open, v.owned = false, false
		clear(v.reserved)
	}
}

// forgetLocks is a mapper that was restarted and opens volumes by itself, but takes a lock only for
// what begins a write.
func (m *fakeMapper) forgetLocks() {
	for _, v := range m.byName {
		v.owned = false
	}
}

func (m *fakeMapper) byUUID(u UUID) *vmap {
	for _, v := range m.byName {
		if v.info.UUID == u {
			return v
		}
	}
	return nil
}

func (m *fakeMapper) do(op *mapper.Op) {
	m.counts[op.Kind]++
	op.Err = m.run(op)
}

func (m *fakeMapper) run(op *mapper.Op) error {
	switch op.Kind {
	case mapper.Open, mapper.InfoOf:
		return m.openOrInfo(op)
	case mapper.Close, mapper.Delete, mapper.Snapshot, mapper.Rename, mapper.Rollback, mapper.Resize:
		return m.change(op)
	}
	v := m.byUUID(op.Volume)
	if v == nil || !v.open {
		return fmt.Errorf("volume: %w", mapper.ErrNotFound)
	}
	switch op.Kind {
	case mapper.MapRead:
		if m.again() {
			return mapper.ErrAgain
		}
		for i := range op.Entries {
			op.Entries[i] = v.entries[op.Index+int64(i)]
		}
		return nil
	case mapper.MapWrite:
		if m.again() {
			return mapper.ErrAgain
		}
		return m.mapWrite(v, op)
	case mapper.Commit:
		return m.commit(v, op)
	case mapper.Flush:
		return m.flush(v)
	}
	return mapper.ErrArgument
}

func (m *fakeMapper) again() bool { return m.w.rng.IntN(100) < m.w.again }

func (m *fakeMapper) openOrInfo(op *mapper.Op) error {
	v := m.byName[op.Name]
	if v == nil {
		return fmt.Errorf("volume %s: %w", op.Name, mapper.ErrNotFound)
	}
	if op.Volume != (UUID{}) && op.Volume != v.info.UUID {
		return fmt.Errorf("volume %s: %w", op.Name, mapper.ErrStale)
	}
	if op.Kind == mapper.Open {
		if m.again() {
			return mapper.ErrAgain
		}
		v.open, v.owned = true, true
	}
	op.Info = v.info
	return nil
}

// change does what needs a frozen and drained volume, and sees to it that it is.
func (m *fakeMapper) change(op *mapper.Op) error {
	if info, ok := m.done[op.RequestID]; ok {
		op.Info = info
		return nil
	}
	v := m.byName[op.Name]
	if v == nil {
		return fmt.Errorf("volume %s: %w", op.Name, mapper.ErrNotFound)
	}
	if op.Volume != (UUID{}) && op.Volume != v.info.UUID {
		return fmt.Errorf("volume %s: %w", op.Name, mapper.ErrStale)
	}
	m.mustBeDrained(v)
	if err := m.flush(v); err != nil {
		return err
	}
	switch op.Kind {
	case mapper.Close:
		v.open = false
	case mapper.Delete:
		delete(m.byName, op.Name)
	case mapper.Snapshot:
		if m.byName[op.Other] != nil {
			return fmt.Errorf("volume %s: %w", op.Other, mapper.ErrExists)
		}
		op.Info = m.snapshot(v, op.Other)
	case mapper.Rename, mapper.Rollback, mapper.Resize:
		if err := m.reshape(v, op); err != nil {
			return err
		}
		op.Info = v.info
	}
	m.done[op.RequestID] = op.Info
	return nil
}

func (m *fakeMapper) snapshot(v *vmap, name string) mapper.Info {
	s := m.create(name, v.info.Size, v.info.ObjectSize)
	s.Flags = flagReadOnly
	n := m.byName[name]
	n.info, n.entries, n.durable = s, maps.Clone(v.entries), maps.Clone(v.entries)
	v.info.Epoch++
	clear(v.reserved)
	return s
}

// mustBeDrained fails if something of the volume is still under way.
func (m *fakeMapper) mustBeDrained(v *vmap) {
	id := "for " + mapfmt.FormatUUID(v.info.UUID)
	for _, e := range m.w.events {
		if e.gen == m.w.gen && strings.Contains(e.what, id) {
			m.w.t.Fatalf("the map of %s changes beside: %s", v.info.Name, e.what)
		}
	}
}

func (m *fakeMapper) flush(v *vmap) error {
	cut := maps.Clone(v.entries)
	if err := blocker.Do(m.w.store, &blocker.Op{Kind: blocker.Sync, Volume: v.info.UUID}); err != nil {
		return err
	}
	v.durable = cut
	return nil
}

func (m *fakeMapper) birth(v *vmap, index int64) mapfmt.Level {
	if l, ok := v.reserved[index]; ok && m.sticky {
		return l
	}
	m.serial++
	l := mapfmt.Level{UUID: v.info.UUID, Epoch: v.info.Epoch, Birth: m.serial * 0x9e3779b97f4a7c15}
	v.reserved[index] = l
	return l
}

func (m *fakeMapper) mapWrite(v *vmap, op *mapper.Op) error {
	if v.info.Flags&flagReadOnly != 0 {
		m.w.t.Fatalf("MAPW on the snapshot %s", v.info.Name)
	}
	v.owned = true
	e := v.entries[op.Index]
	if !e.IsOwn(v.info.UUID, v.info.Epoch) {
		copy(e.Levels[1:], e.Levels[:e.NumLevels])
		e.NumLevels++
		e.Levels[0] = m.birth(v, op.Index)
	}
	op.Entry = e
	return nil
}

func (m *fakeMapper) commit(v *vmap, op *mapper.Op) error {
	e := op.Entry
	if m.noSpace {
		return fmt.Errorf("pending log: %w", mapper.ErrNoSpace)
	}
	if op.Replace {
		return m.replace(v, op)
	}
	if err := e.Check(); err != nil {
		m.w.t.Fatalf("COMMIT of %+v: %v", e, err)
	}
	if e != e.Normalize(v.info.ObjectSize) {
		m.w.t.Fatalf("COMMIT of an entry that isn't normal: %+v", e)
	}
	if !v.owned {
		return fmt.Errorf("lock: %w", mapper.ErrStale)
	}
	if !e.IsOwn(v.info.UUID, v.info.Epoch) {
		return fmt.Errorf("epoch: %w", mapper.ErrStale)
	}
	old := v.entries[op.Index]
	below := old.Levels[:old.NumLevels]
	if old.IsOwn(v.info.UUID, v.info.Epoch) {
		if old.Levels[0].Birth != e.Levels[0].Birth {
			return fmt.Errorf("birth: %w", mapper.ErrStale)
		}
		e.Levels[0].Mask |= old.Levels[0].Mask
		below = below[1:]
	} else if m.w.rng.IntN(100) < m.stale {
		return fmt.Errorf("reservation: %w", mapper.ErrStale)
	}
	if old.IsZero() && e.Levels[0].Mask != mapfmt.FullMask {
		m.w.t.Fatalf("object %d replaces nothing, but its mask is %x", op.Index, e.Levels[0].Mask)
	}
	m.checkBelow(v, &e, below)
	m.checkWritten(v, op.Index, &e, &old)
	e = e.Normalize(v.info.ObjectSize)
	v.entries[op.Index] = e
	op.Entry = e
	return nil
}

// checkBelow fails if a commit loses something that was visible.
func (m *fakeMapper) checkBelow(v *vmap, e *mapfmt.Entry, below []mapfmt.Level) {
	at := 1
	covered := e.Levels[0].Mask
	for _, l := range below {
		if at < int(e.NumLevels) && e.Levels[at] == l {
			at++
			covered |= l.Mask
		} else if lost := l.Mask &^ covered & mapfmt.RealMask(v.info.ObjectSize); lost != 0 {
			m.w.t.Fatalf("COMMIT of %+v over %+v loses %x", e, below, lost)
		}
	}
	if at != int(e.NumLevels) {
		m.w.t.Fatalf("COMMIT of %+v over %+v names levels that aren't there", e, below)
	}
}

// checkWritten fails if sub-blocks are committed into which something is still to be copied.
func (m *fakeMapper) checkWritten(v *vmap, index int64, e, old *mapfmt.Entry) {
	if old.IsZero() {
		return // its holes are right as they are
	}
	fresh := e.Levels[0].Mask
	if old.IsOwn(v.info.UUID, v.info.Epoch) {
		fresh &^= old.Levels[0].Mask
	}
	name := mapfmt.ObjectName(mapfmt.ObjectOf(index, e.Levels[0]))
	for _, ev := range m.w.events {
		var kind blocker.Kind
		var object string
		var off int64
		n, _ := fmt.Sscanf(ev.what, "blocker %d %s %d", &kind, &object, &off)
		if n != 3 || object != name || ev.gen != m.w.gen || !slices.Contains(modifying, kind) {
			continue
		}
		if sub := off / mapfmt.SubBlockSize(v.info.ObjectSize); fresh>>uint(sub)&1 != 0 {
			m.w.t.Fatalf("COMMIT of %x while %s is under way", fresh, ev.what)
		}
	}
}

var modifying = []blocker.Kind{blocker.Write, blocker.WriteZeroes, blocker.Copy, blocker.Fill, blocker.Discard}

// powerCut leaves what was durable.
func (m *fakeMapper) powerCut() {
	for _, v := range m.byName {
		v.entries = maps.Clone(v.durable)
		v.open = false
		clear(v.reserved)
	}
}
