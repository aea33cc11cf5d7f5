package powercut

import (
	"errors"
	"fmt"
	"slices"

	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
	"archipelago/peers/vlmcd"
)

// client runs operations on a node and keeps the model in step.
type client struct {
	n      *node
	m      *model
	groups map[string]string // what became of groups of snapshots
}

// request is an operation that wasn't begun yet. begin notes that it may have an effect from now on
// and returns what notes that it was acknowledged.
type request struct {
	op    *vlmcd.Op
	begin func() (acked func())
}

// control is a control operation that wasn't answered. Repeated after a crash it succeeds, and then
// everything is as if it had been answered the first time.
type control struct {
	what     string
	again    func(c *client) (mapper.Info, error) // asks with the same id
	finished func(m *model, info mapper.Info)     // notes what the answer means
}

// do runs requests, all at once.
func (c *client) do(all ...request) error {
	left := len(all)
	for _, r := range all {
		acked := r.begin()
		r.op.Done = func(op *vlmcd.Op) {
			left--
			if op.Err == nil {
				acked()
			}
		}
	}
	for _, r := range all {
		c.n.composer.Submit(r.op)
	}
	if err := c.n.until(func() bool { return left == 0 }); err != nil {
		return err
	}
	for _, r := range all {
		if r.op.Err != nil {
			return fmt.Errorf("operation %d on %s: %w", r.op.Kind, r.op.Name, r.op.Err)
		}
	}
	return nil
}

func (v *volume) op(kind vlmcd.Kind, flags vlmcd.Flags) *vlmcd.Op {
	return &vlmcd.Op{Kind: kind, Flags: flags, Volume: v.info.UUID, Name: []byte(v.info.Name)}
}

func (c *client) write(name string, first, count int, flags vlmcd.Flags) request {
	op := c.m.volumes[name].op(vlmcd.Write, flags)
	op.Offset, op.Data = int64(first)*sector, make([]byte, count*sector)
	return request{op, func() func() {
		c.m.serial++
		fill(op.Data, c.m.serial)
		return c.m.set(name, first, count, value{n: c.m.serial}, flags)
	}}
}

// clear makes a WriteZeroes, or a Discard, which may leave what it covers only in part.
func (c *client) clear(kind vlmcd.Kind, name string, first, count int, flags vlmcd.Flags) request {
	op := c.m.volumes[name].op(kind, flags)
	op.Offset, op.Length = int64(first)*sector, int64(count)*sector
	return request{op, func() func() {
		return c.m.set(name, first, count, value{maybe: kind == vlmcd.Discard}, flags)
	}}
}

func (c *client) flush(name string) request {
	return request{c.m.volumes[name].op(vlmcd.Flush, 0), func() func() {
		return c.m.flushing(name)
	}}
}

func (c *client) close(name string) request {
	return request{c.m.volumes[name].op(vlmcd.Close, 0), func() func() {
		return c.m.flushing(name)
	}}
}

// controlled makes a request of a control operation, which waits in the model until it is answered.
func (c *client) controlled(op *vlmcd.Op, begin func(m *model), finished func(m *model, info mapper.Info)) request {
	return request{op, func() func() {
		op.RequestID = c.m.id()
		begin(c.m)
		kept := *op
		x := &control{
			what: fmt.Sprintf("operation %d on %s", op.Kind, op.Name),
			again: func(c *client) (mapper.Info, error) {
				op := kept
				err := c.n.do(&op)
				return op.Info, err
			},
			finished: finished,
		}
		c.m.control = append(slices.Clip(c.m.control), x)
		return func() { c.m.answered(x, op.Info) }
	}}
}

func (m *model) answered(x *control, info mapper.Info) {
	m.control = slices.DeleteFunc(slices.Clone(m.control), func(o *control) bool { return o == x })
	x.finished(m, info)
}

// snapshot makes a snapshot; requests beside it are in it or not.
func (c *client) snapshot(name, snap string) request {
	op := c.m.volumes[name].op(vlmcd.Snapshot, 0)
	op.Other = snap
	return c.controlled(op, func(m *model) { m.beginSnapshot(name, snap) },
		func(m *model, info mapper.Info) { m.endSnapshot(name, snap, info) })
}

func (m *model) beginSnapshot(name, snap string) {
	s := m.volumes[name].clone()
	s.readOnly, s.maybeAbsent, s.of = true, true, name
	for i := range s.cells {
		x := &s.cells[i]
		*x = cell{past: slices.Clip(x.past[x.since(x.acked):])}
	}
	m.volumes[snap] = s
}

// endSnapshot: where the crash had left none, the repeated request has made it of what is there.
func (m *model) endSnapshot(name, snap string, info mapper.Info) {
	s := m.volumes[snap]
	if s == nil {
		s = &volume{readOnly: true, cells: m.volumes[name].last()}
		m.volumes[snap] = s
	}
	s.maybeAbsent, s.of = false, ""
	s.named(snap, info)
}

func (v *volume) named(name string, info mapper.Info) {
	v.info = info
	v.info.Name = name
}

// last is what a volume holds that nobody writes to.
func (v *volume) last() []cell {
	cells := make([]cell, len(v.cells))
	for i := range cells {
		x := &v.cells[i]
		cells[i].past = slices.Clip(x.past[x.since(len(x.past)-1):])
	}
	return cells
}

func zeros(sectors int) []cell {
	cells := make([]cell, sectors)
	for i := range cells {
		cells[i] = exactly(0)
	}
	return cells
}

func (c *client) remove(name string) request {
	op := c.m.volumes[name].op(vlmcd.Delete, 0)
	return c.controlled(op, func(m *model) { m.volumes[name].maybeAbsent = true }, func(m *model, _ mapper.Info) {
		delete(m.volumes, name)
		m.gone[name] = true
	})
}

// rename gives a volume another name.
func (c *client) rename(name, to string) request {
	op := c.m.volumes[name].op(vlmcd.Rename, 0)
	op.Other = to
	return c.controlled(op, func(m *model) {
		m.volumes[name].becomes = to
		delete(m.gone, to)
	}, func(m *model, info mapper.Info) {
		m.moved(name, to)
		m.volumes[to].named(to, info)
	})
}

// moved notes that a volume has its new name; it may be known already.
func (m *model) moved(name, to string) {
	if v := m.volumes[name]; v != nil {
		v.becomes = ""
		m.volumes[to] = v
		delete(m.volumes, name)
	}
	m.gone[name] = true
	delete(m.gone, to)
}

// rollback makes a volume what a snapshot is. Nothing may run beside it on the volume.
func (c *client) rollback(name, snap string) request {
	op := c.m.volumes[name].op(vlmcd.Rollback, 0)
	op.Other = snap
	return c.replaced(op, name, func(m *model) []cell { return m.volumes[snap].last() })
}

// resize gives a volume so many sectors. Nothing may run beside it on the volume.
func (c *client) resize(name string, sectors int) request {
	op := c.m.volumes[name].op(vlmcd.Resize, 0)
	op.Size = int64(sectors) * sector
	return c.replaced(op, name, func(m *model) []cell {
		v := m.volumes[name]
		if old := len(v.cells); sectors > old {
			return append(slices.Clip(v.cells), zeros(sectors-old)...)
		}
		return slices.Clone(v.cells[:sectors])
	})
}

// replaced is a control operation that gives a volume other content, all of it or none.
func (c *client) replaced(op *vlmcd.Op, name string, cells func(m *model) []cell) request {
	return c.controlled(op, func(m *model) { m.volumes[name].instead = cells(m) },
		func(m *model, info mapper.Info) {
			v := m.volumes[name]
			if v.instead == nil || len(v.instead)*sector != int(info.Size) {
				v.instead = cells(m)
			}
			// Copied: earlier states of the model share it.
			v.cells, v.instead = slices.Clone(v.instead), nil
			v.named(name, info)
		})
}

// flatten copies what a volume shares.
func (c *client) flatten(name string) request {
	op := c.m.volumes[name].op(vlmcd.Flatten, 0)
	op.Length = int64(len(c.m.volumes[name].cells)) * sector
	return request{op, func() func() { return func() {} }}
}

// create makes a blank volume of so many sectors, or a clone of a snapshot.
func (c *client) create(name, origin string, sectors int) error {
	op := &mapper.Op{Kind: mapper.Clone, Name: name, Other: origin, RequestID: c.m.id()}
	content := func(m *model) []cell {
		if origin != "" {
			return slices.Clone(m.volumes[origin].cells)
		}
		return zeros(sectors)
	}
	if origin == "" {
		op.Size, op.ObjectSize = int64(sectors)*sector, objectSize
	}
	v := &volume{maybeAbsent: true, cells: content(c.m)}
	v.info.Name = name
	c.m.volumes[name] = v
	delete(c.m.gone, name)
	return c.asked("create "+name, op, func(m *model, info mapper.Info) {
		if m.volumes[name] == nil {
			m.volumes[name] = &volume{cells: content(m)}
		}
		m.volumes[name].maybeAbsent = false
		m.volumes[name].named(name, info)
	})
}

// asked runs a control operation of the mapper.
func (c *client) asked(what string, op *mapper.Op, finished func(m *model, info mapper.Info)) error {
	x := &control{what: what, finished: finished, again: func(c *client) (mapper.Info, error) {
		again := *op
		err := c.n.ask(&again)
		return again.Info, err
	}}
	c.m.control = append(slices.Clip(c.m.control), x)
	info, err := x.again(c)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	c.m.answered(x, info)
	return nil
}

// readBuffer is that of all nodes: one reads at a time.
var readBuffer []byte

// read returns the whole content of a volume, until the next read.
func (c *client) read(name string) ([]byte, error) {
	v := c.m.volumes[name]
	op := v.op(vlmcd.Read, 0)
	if cap(readBuffer) < int(v.info.Size) {
		readBuffer = make([]byte, v.info.Size)
	}
	op.Data = readBuffer[:v.info.Size]
	err := c.n.do(op)
	if err != nil {
		err = fmt.Errorf("read %s: %w", name, err)
	}
	return op.Data, err
}

// observe checks a volume and takes what it holds for the only thing that it may hold from now on.
func (c *client) observe(name string) error {
	data, err := c.read(name)
	v := c.m.volumes[name]
	if err == nil {
		err = v.checkContent(name, data, false)
	}
	if err == nil {
		v.settle(data)
	}
	return err
}

// group makes snapshots of several volumes at one point in time: either all of them are there, or
// none is. The names alternate: volume, snapshot.
func (c *client) group(names ...string) error {
	id := c.m.id()
	tokens := map[string]uint64{}
	for i := 0; i < len(names); i += 2 {
		op := c.m.volumes[names[i]].op(vlmcd.Freeze, 0)
		if err := c.n.do(op); err != nil {
			return fmt.Errorf("freeze %s: %w", names[i], err)
		}
		tokens[names[i]] = op.Token
	}
	var all []request
	for i := 0; i < len(names); i += 2 {
		all = append(all, c.member(names[i], names[i+1], tokens[names[i]], id, len(names)/2))
	}
	if err := c.do(all...); err != nil {
		return err
	}
	return c.decide(id, names)
}

// member makes the snapshot of one volume of a group.
func (c *client) member(name, snap string, token uint64, id [16]byte, members int) request {
	op := c.m.volumes[name].op(vlmcd.Snapshot, 0)
	op.Other, op.Token, op.Group, op.Members, op.RequestID = snap, token, id, members, c.m.id()
	return request{op, func() func() {
		c.m.beginSnapshot(name, snap)
		s := c.m.volumes[snap]
		s.group = string(id[:])
		return func() {
			s.of = ""
			s.named(snap, op.Info)
		}
	}}
}

// decide makes all members of a group real. Repeated after a crash it may find the group given up.
func (c *client) decide(id [16]byte, names []string) error {
	op := mapper.Op{Kind: mapper.SnapshotGroup, Group: id, Members: len(names) / 2, RequestID: c.m.id()}
	op.Data = make([]byte, 1000)
	used := 0
	for i := 1; i < len(names); i += 2 {
		used, _ = blocker.PutName(op.Data, used, names[i])
	}
	op.Data = op.Data[:used]
	x := &control{what: "group", finished: func(m *model, _ mapper.Info) {
		for i := 1; i < len(names); i += 2 {
			if s := m.volumes[names[i]]; s != nil {
				s.maybeAbsent, s.group = false, ""
			}
		}
	}}
	x.again = func(c *client) (mapper.Info, error) {
		again := op
		err := c.n.ask(&again)
		for i := 1; i < len(names); i += 2 {
			there := c.m.volumes[names[i]] != nil
			if errors.Is(err, mapper.ErrStale) && there || err == nil && !there {
				return again.Info, fmt.Errorf("group is decided (%v), but member %s is there: %v", err, names[i], there)
			}
		}
		if errors.Is(err, mapper.ErrStale) && c.groups != nil {
			err = nil
		}
		return again.Info, err
	}
	c.m.control = append(slices.Clip(c.m.control), x)
	if _, err := x.again(c); err != nil {
		return err
	}
	c.m.answered(x, mapper.Info{})
	return nil
}
