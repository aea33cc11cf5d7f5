package powercut

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"archipelago/peers/mapper"
	"archipelago/peers/vlmcd"
)

const (
	sector     = 512
	objectSize = 64 << 10
	sectors    = (2*objectSize + objectSize/2) / sector // of most volumes
)

// value is what a sector holds: the number in each of its words; 0 is zeros.
type value struct {
	n     uint64
	maybe bool // it may have had no effect, though it was acknowledged (a discard)
}

// cell is the history of a sector: nothing that was written to it runs beside another write to it.
type cell struct {
	past    []value
	durable int // the oldest in past that a power cut may leave
	acked   int // the oldest in past that a kill may leave
}

func exactly(n uint64) cell { return cell{past: []value{{n: n}}} }

// since returns the oldest value that may be there if from is the last that must be.
func (c *cell) since(from int) int {
	for from > 0 && c.past[from].maybe {
		from--
	}
	return from
}

func (c *cell) allows(n uint64, power bool) bool {
	from := c.acked
	if power {
		from = c.durable
	}
	for _, v := range c.past[c.since(from):] {
		if v.n == n {
			return true
		}
	}
	return false
}

// volume is what is known of a volume or snapshot.
type volume struct {
	info     mapper.Info
	readOnly bool
	cells    []cell
	// It may be absent: its making, or its removal, wasn't answered.
	maybeAbsent bool
	// of is the volume whose snapshot is being made under this name.
	of string
	// becomes is the name that it is being given.
	becomes string
	// instead is the content that it is being given, as a whole.
	instead []cell
	// group is the one that it is a member of, while that isn't decided.
	group string
}

func (v *volume) clone() *volume {
	c := *v
	c.cells = slices.Clone(v.cells)
	return &c
}

// model is what all volumes may hold.
type model struct {
	volumes map[string]*volume
	gone    map[string]bool // names of what was removed
	control []*control      // control operations that weren't answered
	serial  uint64          // the last value and id that was given out
}

func newModel() *model {
	return &model{volumes: map[string]*volume{}, gone: map[string]bool{}}
}

// clone returns a copy that may be worked on while m is, too.
func (m *model) clone() *model {
	c := m.view()
	for _, v := range c.volumes {
		v.cells = slices.Clone(v.cells)
	}
	return c
}

// view returns a copy whose volumes share the cells of m's until they are settled.
func (m *model) view() *model {
	c := *m
	c.volumes = make(map[string]*volume, len(m.volumes))
	for name, v := range m.volumes {
		shared := *v
		c.volumes[name] = &shared
	}
	c.gone = make(map[string]bool, len(m.gone))
	for name := range m.gone {
		c.gone[name] = true
	}
	c.control = slices.Clone(m.control)
	return &c
}

func (m *model) names() []string {
	names := make([]string, 0, len(m.volumes))
	for name := range m.volumes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (m *model) id() (id [16]byte) {
	m.serial++
	binary.LittleEndian.PutUint64(id[:], m.serial)
	return id
}

// set notes that count sectors of a volume from first on are being set to x, and returns what to
// call when that was acknowledged. A snapshot that is being made may show it.
func (m *model) set(name string, first, count int, x value, flags vlmcd.Flags) (acked func()) {
	for _, s := range m.volumes {
		if s.of == name {
			s.append(first, count, x)
		}
	}
	v := m.volumes[name]
	at := v.append(first, count, x)
	return func() {
		for i := range at {
			c := &v.cells[first+i]
			c.acked = max(c.acked, at[i])
			if flags&vlmcd.FlagFUA != 0 {
				c.durable = max(c.durable, at[i])
			}
		}
	}
}

// append adds a value to the histories of sectors and returns its places in them.
func (v *volume) append(first, count int, x value) []int {
	at := make([]int, count)
	for i := range count {
		c := &v.cells[first+i]
		// Copies of the model share the array: nothing in it is written over.
		c.past = append(slices.Clip(c.past), x)
		at[i] = len(c.past) - 1
	}
	return at
}

// flushing notes what is acknowledged now, and returns what to call when that is durable.
func (m *model) flushing(name string) (durable func()) {
	v := m.volumes[name]
	at := make([]int, len(v.cells))
	for i := range v.cells {
		at[i] = v.cells[i].acked
	}
	return func() {
		for i := range at {
			v.cells[i].durable = max(v.cells[i].durable, at[i])
		}
	}
}

// checkContent compares what was read with what may be there.
func (v *volume) checkContent(name string, data []byte, power bool) error {
	if len(data) != len(v.cells)*sector {
		return fmt.Errorf("%s: has %d sectors, not %d", name, len(data)/sector, len(v.cells))
	}
	for i := range v.cells {
		n, whole := sectorValue(data[i*sector : (i+1)*sector])
		if !whole {
			return fmt.Errorf("%s: sector %d is torn", name, i)
		}
		if !v.cells[i].allows(n, power) {
			return fmt.Errorf("%s: sector %d holds %d, but its history is %+v", name, i, n, v.cells[i])
		}
	}
	return nil
}

// settle makes what was read all that is known.
func (v *volume) settle(data []byte) {
	v.maybeAbsent, v.of, v.instead = false, "", nil
	v.cells = make([]cell, len(data)/sector)
	values := make([]value, len(v.cells))
	for i := range v.cells {
		values[i].n, _ = sectorValue(data[i*sector : (i+1)*sector])
		v.cells[i].past = values[i : i+1 : i+1]
	}
}

// fill writes n into every word of p.
func fill(p []byte, n uint64) {
	for i := 0; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], n)
	}
}

// sectorValue reads a sector back; false if it doesn't hold one value.
func sectorValue(p []byte) (uint64, bool) {
	return binary.LittleEndian.Uint64(p), bytes.Equal(p[8:sector], p[:sector-8])
}
