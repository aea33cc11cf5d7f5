package mapfmt

import (
	"maps"
	"slices"
)

// Clone returns a copy that shares nothing with c. It costs a copy of the slots, 32 KiB.
func (c *Chunk) Clone() *Chunk {
	n := *c
	if c.slots != nil {
		slots := *c.slots
		n.slots = &slots
	}
	n.uuids = dictionary{list: slices.Clone(c.uuids.list), index: maps.Clone(c.uuids.index)}
	n.tails = slices.Clone(c.tails)
	n.keys = slices.Clone(c.keys)
	return &n
}
