package powercut

import (
	"fmt"
	"slices"

	"archipelago/peers/mapper"
	"archipelago/peers/vlmcd"
)

// client runs operations on a node and keeps the model in step.
type client struct {
	n *node
	m *model
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
	op       vlmcd.Op
	ask      *mapper.Op // where it goes to the mapper
	finished func(m *model, info mapper.Info)
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

// steps runs requests one after the other. They are made when it is their turn.
func (c *client) steps(all ...func() request) error {
	for i, f := range all {
		if err := c.do(f()); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
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
func (c *client) controlled(op *vlmcd.Op, begin func(), finished func(m *model, info mapper.Info)) request {
	return request{op, func() func() {
		op.RequestID = c.m.id()
		begin()
		x := &control{op: *op, finished: finished}
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
	return c.controlled(op, func() {
		s := c.m.volumes[name].clone()
		s.readOnly, s.maybeAbsent, s.of = true, true, name
		for i := range s.cells {
			x := &s.cells[i]
			*x = cell{past: slices.Clip(x.past[x.since(x.acked):])}
		}
		c.m.volumes[snap] = s
	}, func(m *model, info mapper.Info) {
		s := m.volumes[snap]
		s.maybeAbsent, s.of = false, ""
		s.info = info
		s.info.Name = snap
	})
}

func (c *client) remove(name string) request {
	op := c.m.volumes[name].op(vlmcd.Delete, 0)
	return c.controlled(op, func() { c.m.volumes[name].maybeAbsent = true }, func(m *model, _ mapper.Info) {
		delete(m.volumes, name)
		m.gone[name] = true
	})
}

// create makes a blank volume, or a clone of a snapshot.
func (c *client) create(name, origin string) error {
	op := &mapper.Op{Kind: mapper.Clone, Name: name, Other: origin, RequestID: c.m.id()}
	v := &volume{maybeAbsent: true}
	if origin == "" {
		op.Size, op.ObjectSize = volumeSize, objectSize
		v.cells = make([]cell, volumeSize/sector)
		for i := range v.cells {
			v.cells[i] = exactly(0)
		}
	} else {
		v.cells = slices.Clone(c.m.volumes[origin].cells)
	}
	v.info.Name = name
	c.m.volumes[name] = v
	x := &control{ask: op, finished: func(m *model, info mapper.Info) {
		v := m.volumes[name]
		v.maybeAbsent = false
		v.info = info
		v.info.Name = name
	}}
	c.m.control = append(slices.Clip(c.m.control), x)
	again := *op
	if err := c.n.ask(&again); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	c.m.answered(x, again.Info)
	return nil
}

// read returns the whole content of a volume, until the next read.
func (c *client) read(name string) ([]byte, error) {
	v := c.m.volumes[name]
	op := v.op(vlmcd.Read, 0)
	if size := len(v.cells) * sector; cap(c.n.buffer) < size {
		c.n.buffer = make([]byte, size)
	}
	op.Data = c.n.buffer[:len(v.cells)*sector]
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
