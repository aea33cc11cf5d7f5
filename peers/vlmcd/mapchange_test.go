package vlmcd

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// reshape is what the fake mapper does for changes of a volume as a whole.
func (m *fakeMapper) reshape(v *vmap, op *mapper.Op) error {
	switch op.Kind {
	case mapper.Rename:
		if m.byName[op.Other] != nil {
			return fmt.Errorf("volume %s: %w", op.Other, mapper.ErrExists)
		}
		delete(m.byName, v.info.Name)
		v.info.Name = op.Other
		m.byName[op.Other] = v
	case mapper.Rollback:
		s := m.byName[op.Other]
		if s == nil {
			return fmt.Errorf("volume %s: %w", op.Other, mapper.ErrNotFound)
		}
		v.info.Epoch++
		v.info.Size = s.info.Size
		v.entries, v.durable = maps.Clone(s.entries), maps.Clone(s.entries)
		clear(v.reserved)
	case mapper.Resize:
		if op.Size < v.info.Size {
			m.cut(v, op.Size)
		}
		v.info.Size = op.Size
	}
	return nil
}

// cut takes what lies beyond size out of the map, and makes zeros of the rest of the last object.
func (m *fakeMapper) cut(v *vmap, size int64) {
	last, rest := size/v.info.ObjectSize, size%v.info.ObjectSize
	for index := range v.entries {
		if index > last || index == last && rest == 0 {
			delete(v.entries, index)
		}
	}
	if e, ok := v.entries[last]; ok && rest > 0 {
		data := make([]byte, v.info.ObjectSize)
		m.content(v, last, &e, data[:rest])
		m.serial++
		l := mapfmt.Level{UUID: v.info.UUID, Epoch: v.info.Epoch, Birth: m.serial << 20, Mask: mapfmt.FullMask}
		m.must(&blocker.Op{Kind: blocker.Write, Name: mapfmt.ObjectName(mapfmt.ObjectOf(last, l)), Data: data})
		n := mapfmt.Entry{NumLevels: 1}
		n.Levels[0] = l
		v.entries[last] = n
	}
	v.durable = maps.Clone(v.entries)
	m.must(&blocker.Op{Kind: blocker.Sync, Volume: v.info.UUID})
}

// content reads an object as its entry says.
func (m *fakeMapper) content(v *vmap, index int64, e *mapfmt.Entry, data []byte) {
	size := mapfmt.SubBlockSize(v.info.ObjectSize)
	for off := int64(0); off < int64(len(data)); off += size {
		if lvl := e.Find(int(off / size)); lvl >= 0 {
			m.must(&blocker.Op{Kind: blocker.Read, Name: mapfmt.ObjectName(mapfmt.ObjectOf(index, e.Levels[lvl])),
				Offset: off, Data: data[off:min(off+size, int64(len(data)))]})
		}
	}
}

func (m *fakeMapper) must(op *blocker.Op) {
	if err := blocker.Do(m.w.store, op); err != nil {
		m.w.t.Fatal(err)
	}
}

// replace takes a COMMIT that discards an object whole, and sees to it that nothing of the volume
// is under way on the object.
func (m *fakeMapper) replace(v *vmap, op *mapper.Op) error {
	l := op.Entry.Levels[0]
	want := mapfmt.Entry{NumLevels: 1}
	want.Levels[0] = l
	if op.Entry != want || l.Mask != 0 {
		m.w.t.Fatalf("COMMIT that replaces by %+v", op.Entry)
	}
	old := v.entries[op.Index]
	switch {
	case !v.owned:
		return fmt.Errorf("lock: %w", mapper.ErrStale)
	case l.UUID != v.info.UUID || l.Epoch != v.info.Epoch:
		return fmt.Errorf("epoch: %w", mapper.ErrStale)
	case old.IsOwn(v.info.UUID, v.info.Epoch) && old.Levels[0].Birth != l.Birth:
		return fmt.Errorf("birth: %w", mapper.ErrStale)
	case m.w.rng.IntN(100) < m.stale:
		return fmt.Errorf("forgotten: %w", mapper.ErrStale)
	}
	m.mustBeIdle(mapfmt.ObjectName(mapfmt.ObjectOf(op.Index, l)))
	delete(v.entries, op.Index)
	delete(v.reserved, op.Index)
	op.Entry = mapfmt.Entry{}
	return nil
}

// mustBeIdle fails if an object is written while it is discarded.
func (m *fakeMapper) mustBeIdle(name string) {
	for _, ev := range m.w.events {
		var kind blocker.Kind
		var object string
		n, _ := fmt.Sscanf(strings.TrimPrefix(ev.what, "end of "), "blocker %d %s", &kind, &object)
		if n == 2 && object == name && ev.gen == m.w.gen && slices.Contains(modifying, kind) {
			m.w.t.Fatalf("%s is discarded beside: %s", name, ev.what)
		}
	}
}
