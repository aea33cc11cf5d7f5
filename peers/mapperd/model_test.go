package mapperd

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// place is a sub-block of a volume.
type place struct {
	index int64
	sub   int
}

// cell is what a place may hold: the values that were written to it, in their order.
type cell struct {
	values  []uint64
	acked   int // of the last write that was acknowledged
	durable int // of the last value that was acknowledged before a flush that succeeded
}

// presence says what is known of the existence of a volume.
type presence int

const (
	absent presence = iota
	unsure          // an operation that makes or removes it has not ended
	existing
)

// modelVolume is what a volume must look like from outside.
type modelVolume struct {
	presence presence
	removed  bool // unsure or absent because of a removal
	info     mapper.Info
	readOnly bool
	cells    map[place]*cell
	size     int64  // that a resize gives it; 0 = none
	was      string // name before a rename that may not have ended
}

// model follows what a client does and knows, and says afterwards whether what is there may be.
type model struct {
	volumes map[string]*modelVolume
	groups  [][]string // snapshots of which all are there, or none
	next    uint64     // value of the next write: no two are the same
}

func newModel() *model { return &model{volumes: map[string]*modelVolume{}} }

// client does operations at a world and keeps the model. The first error ends it.
type client struct {
	w  *world
	m  *model
	at *moment // nil: no crash comes
}

// acked is the result of an operation as the client sees it. What ends after the moment of the
// crash (which may have come in background work of the engine) was never acknowledged to anybody.
func (c *client) acked(err error) error {
	if err == nil && c.at != nil && c.at.hasCome() {
		return errCut
	}
	return err
}

func (c *client) create(name string) error {
	v := &modelVolume{presence: unsure, cells: map[place]*cell{}}
	c.m.volumes[name] = v
	info, err := create(c.w.engine, name)
	return v.made(info, c.acked(err))
}

func (v *modelVolume) made(info mapper.Info, err error) error {
	if err == nil {
		v.info, v.presence = info, existing
	}
	return err
}

func (c *client) write(name string, index int64, sub int) error {
	v := c.m.volumes[name]
	p := place{index, sub}
	x := v.cells[p]
	if x == nil {
		x = &cell{values: []uint64{0}}
		v.cells[p] = x
	}
	c.m.next++
	x.values = append(x.values, c.m.next)
	n := len(x.values) - 1
	err := c.acked(writeSub(c.w.engine, c.w.fblocks, v.info, index, sub, c.m.next))
	if err == nil {
		x.acked = n
	}
	return err
}

// ackedNow is what a flush that begins now makes durable.
func (v *modelVolume) ackedNow() map[place]int {
	acked := map[place]int{}
	for p, x := range v.cells {
		acked[p] = x.acked
	}
	return acked
}

func (v *modelVolume) flushed(acked map[place]int) {
	for p, n := range acked {
		v.cells[p].durable = n
	}
}

func (c *client) flush(name string) error {
	v := c.m.volumes[name]
	acked := v.ackedNow()
	err := c.acked(flush(c.w.engine, v.info))
	if err == nil {
		v.flushed(acked)
	}
	return err
}

func (c *client) close(name string) error {
	v := c.m.volumes[name]
	acked := v.ackedNow()
	_, err := do(c.w.engine, mapper.Op{Kind: mapper.Close, Name: name, Volume: v.info.UUID})
	if err = c.acked(err); err == nil {
		v.flushed(acked)
	}
	return err
}

// inherit is a new volume with the content of another one, all of it durable.
func (v *modelVolume) inherit() *modelVolume {
	n := &modelVolume{presence: unsure, cells: map[place]*cell{}}
	for p, x := range v.cells {
		n.cells[p] = &cell{values: []uint64{x.values[x.acked]}}
	}
	return n
}

func (c *client) snapshot(name, snap string) error {
	v := c.m.volumes[name]
	s := v.inherit()
	s.readOnly = true
	c.m.volumes[snap] = s
	acked := v.ackedNow()
	info, err := snapshot(c.w.engine, name, snap)
	if err = c.acked(err); err == nil {
		v.flushed(acked)
	}
	return s.made(info, err)
}

func (c *client) clone(name, snap string) error {
	v := c.m.volumes[snap].inherit()
	c.m.volumes[name] = v
	info, err := clone(c.w.engine, name, snap)
	return v.made(info, c.acked(err))
}

func (c *client) remove(name string) error {
	v := c.m.volumes[name]
	v.presence, v.removed = unsure, true
	err := c.acked(remove(c.w.engine, name))
	if err == nil {
		v.presence = absent
	}
	return err
}

// check compares the world with the model. After a power cut values that were flushed, or anything
// newer, may be there; after a kill only what was acknowledged, or newer. What is found becomes
// what the model knows: after a power cut it is durable, after a kill a power cut may still take it.
func (m *model) check(w *world, power bool) error {
	all := m.settleRenames(w)
	for _, name := range slices.Sorted(maps.Keys(m.volumes)) {
		if err := m.volumes[name].check(w, name, power); err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(all, m.checkGroups())
}

func (v *modelVolume) check(w *world, name string, power bool) error {
	op, err := do(w.engine, mapper.Op{Kind: mapper.Open, Name: name})
	switch {
	case errors.Is(err, mapper.ErrNotFound):
		if v.presence == existing {
			return errors.New("it is gone")
		}
		return v.checkRemoved(w)
	case err != nil:
		return err
	case v.presence == absent:
		return errors.New("it is back")
	}
	v.info, v.presence, v.removed = op.Info, existing, false
	v.settleSize()
	var all error
	for p, x := range v.cells {
		if !v.holds(p) {
			continue // nobody can read it; that it is gone shows when the volume grows
		}
		got, err := readSub(w.engine, w.blocks, v.info, p.index, p.sub)
		if err == nil {
			err = x.check(got, power)
		}
		if err != nil {
			all = errors.Join(all, fmt.Errorf("object %d, sub-block %d: %w", p.index, p.sub, err))
		}
	}
	return all
}

func (x *cell) check(got uint64, power bool) error {
	first := x.acked
	if power {
		first = x.durable
	}
	at := len(x.values) - 1
	for at >= 0 && x.values[at] != got {
		at--
	}
	if at < first {
		return fmt.Errorf("it reads %d; allowed is %v", got, x.values[first:])
	}
	x.values, x.acked = x.values[:at+1], at
	if power {
		x.values, x.acked, x.durable = []uint64{got}, 0, 0
	}
	return nil
}

// checkRemoved: a removed volume that had objects left a tombstone.
func (v *modelVolume) checkRemoved(w *world) error {
	v.presence = absent
	if !v.removed {
		return nil
	}
	found := false
	err := w.engine.list(w.maps, mapfmt.TombstoneVolumePrefix(v.info.UUID), func(string) error {
		found = true
		return nil
	})
	if err == nil && !found {
		return errors.New("it is gone without a tombstone")
	}
	return err
}

// goOn writes to every volume that is there, flushes it, and checks everything again: what a crash
// left must be good for a second life, and writes must not reach anybody else.
func (m *model) goOn(w *world) error {
	c := &client{w: w, m: m}
	for _, name := range slices.Sorted(maps.Keys(m.volumes)) {
		v := m.volumes[name]
		if v.presence != existing || v.readOnly {
			continue
		}
		for _, p := range []place{{0, 0}, {0, 2}, {1, 5}, {1030, 1}} {
			if !v.holds(p) {
				continue
			}
			if err := c.write(name, p.index, p.sub); err != nil {
				return fmt.Errorf("write to %s: %w", name, err)
			}
		}
		if err := c.flush(name); err != nil {
			return err
		}
		// What a shrink cut off must not come back.
		if err := c.resize(name, testSize); err != nil {
			return err
		}
	}
	return m.check(w, false)
}

// errCut is what every operation of a store gets after the moment of the crash.
var errCut = errors.New("no store any more")

// isCut says whether an error comes from the crash itself.
func isCut(err error) bool {
	return errors.Is(err, errCut) || blocker.Errno(err) == blocker.Errno(errCut)
}
