package mapperd

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

func rename(e *Engine, name, to string) (mapper.Info, error) {
	op, err := do(e, mapper.Op{Kind: mapper.Rename, Name: name, Other: to})
	return op.Info, err
}

func rollback(e *Engine, name, snap string) (mapper.Info, error) {
	op, err := do(e, mapper.Op{Kind: mapper.Rollback, Name: name, Other: snap})
	return op.Info, err
}

func resize(e *Engine, name string, size int64) (mapper.Info, error) {
	op, err := do(e, mapper.Op{Kind: mapper.Resize, Name: name, Size: size})
	return op.Info, err
}

// discard takes a whole object out of a volume, as a composer does.
func discard(e *Engine, info mapper.Info, index int64) error {
	entry, err := mapWrite(e, info, index)
	if err != nil {
		return err
	}
	only := entry
	for only.NumLevels > 1 {
		only = only.WithoutLevel(1)
	}
	only.Levels[0].Mask, only.Bottom = 0, 0
	_, err = do(e, mapper.Op{
		Kind: mapper.Commit, Replace: true, Volume: info.UUID, Name: info.Name, Index: index, Entry: only,
	})
	return err
}

// snapshots encodes names as the data of SnapshotGroup.
func snapshots(names ...string) []byte {
	b, n := make([]byte, 4096), 0
	for _, name := range names {
		n, _ = blocker.PutName(b, n, name)
	}
	return b[:n]
}

func (c *client) createSized(name string, size int64) error {
	v := &modelVolume{presence: unsure, cells: map[place]*cell{}}
	c.m.volumes[name] = v
	op, err := do(c.w.engine, mapper.Op{Kind: mapper.Clone, Name: name, Size: size, ObjectSize: testObject})
	return v.made(op.Info, c.acked(err))
}

func (v *modelVolume) holds(p place) bool {
	return v.info.Size == 0 || p.index*testObject+int64(p.sub)*testSub < v.info.Size
}

// settleSize: the size that is there says whether a resize came to pass; a smaller one has cut off
// what lay beyond, for good.
func (v *modelVolume) settleSize() {
	if v.size != 0 && v.info.Size == v.size {
		v.cutOff()
	}
	v.size = 0
}

func (v *modelVolume) cutOff() {
	for p, x := range v.cells {
		if !v.holds(p) {
			*x = cell{values: []uint64{0}}
		}
	}
}

func (c *client) resize(name string, size int64) error {
	v := c.m.volumes[name]
	v.size = size
	acked := v.ackedNow()
	info, err := resize(c.w.engine, name, size)
	if err = c.acked(err); err == nil {
		v.flushed(acked)
		v.info = info
		v.settleSize()
	}
	return err
}

func (c *client) rollback(name, snap string) error {
	v, s := c.m.volumes[name], c.m.volumes[snap]
	for p := range s.cells {
		if v.cells[p] == nil {
			v.cells[p] = &cell{values: []uint64{0}}
		}
	}
	for p, x := range v.cells {
		old := uint64(0)
		if y := s.cells[p]; y != nil {
			old = y.values[y.acked]
		}
		x.values = append(x.values, old)
	}
	v.size = 0
	info, err := rollback(c.w.engine, name, snap)
	if err = c.acked(err); err == nil {
		v.info = info
		for _, x := range v.cells {
			x.acked = len(x.values) - 1
			x.durable = x.acked
		}
	}
	return err
}

func (c *client) rename(name, to string) error {
	v := c.m.volumes[name]
	delete(c.m.volumes, name)
	c.m.volumes[to] = v
	v.was = name
	acked := v.ackedNow()
	info, err := rename(c.w.engine, name, to)
	if err = c.acked(err); err == nil {
		v.flushed(acked)
		v.info, v.was = info, ""
	}
	return err
}

// settleRenames finds out under which name a volume is whose rename didn't end: exactly one.
func (m *model) settleRenames(w *world) error {
	var all error
	for _, name := range slices.Sorted(maps.Keys(m.volumes)) {
		v := m.volumes[name]
		if v.was == "" {
			continue
		}
		_, newErr := do(w.engine, mapper.Op{Kind: mapper.Open, Name: name})
		_, oldErr := do(w.engine, mapper.Op{Kind: mapper.Open, Name: v.was})
		switch {
		case newErr == nil && oldErr == nil:
			all = errors.Join(all, fmt.Errorf("%s is there as %s too", name, v.was))
		case newErr != nil && oldErr == nil:
			delete(m.volumes, name)
			m.volumes[v.was] = v
		}
		v.was = ""
	}
	return all
}

// group makes snapshots of several volumes: pairs of volume and snapshot.
func (c *client) group(id byte, pairs ...[2]string) error {
	var names []string
	for _, p := range pairs {
		s := c.m.volumes[p[0]].inherit()
		s.readOnly = true
		c.m.volumes[p[1]] = s
		names = append(names, p[1])
	}
	c.m.groups = append(c.m.groups, names)
	group := [16]byte{id}
	for _, p := range pairs {
		v := c.m.volumes[p[0]]
		acked := v.ackedNow()
		op, err := do(c.w.engine, mapper.Op{
			Kind: mapper.Snapshot, Name: p[0], Other: p[1], Group: group, Members: len(pairs),
		})
		if err := c.acked(err); err != nil {
			return err
		}
		v.flushed(acked)
		c.m.volumes[p[1]].info = op.Info
	}
	_, err := do(c.w.engine, mapper.Op{
		Kind: mapper.SnapshotGroup, Group: group, Members: len(pairs), Data: snapshots(names...),
	})
	if err = c.acked(err); err == nil {
		for _, name := range names {
			c.m.volumes[name].presence = existing
		}
		c.m.groups = c.m.groups[:len(c.m.groups)-1]
	}
	return err
}

// checkGroups: of the snapshots of a group all are there, or none.
func (m *model) checkGroups() error {
	for _, names := range m.groups {
		there := 0
		for _, name := range names {
			if m.volumes[name].presence == existing {
				there++
			}
		}
		if there != 0 && there != len(names) {
			return fmt.Errorf("of the group %v %d are there", names, there)
		}
	}
	m.groups = nil // later each may be removed on its own
	return nil
}

func (c *client) discard(name string, index int64) error {
	v := c.m.volumes[name]
	var changed []*cell
	for p, x := range v.cells {
		if p.index == index {
			x.values = append(x.values, 0)
			changed = append(changed, x)
		}
	}
	err := c.acked(discard(c.w.engine, v.info, index))
	if err == nil {
		for _, x := range changed {
			x.acked = len(x.values) - 1
		}
	}
	return err
}
