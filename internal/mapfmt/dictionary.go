package mapfmt

import "slices"

// maxRefs is how many things a u16 reference that has a value to spare can tell apart.
const maxRefs = 1<<16 - 1

// scanLimit: up to here a scan of the list beats a hash map, and costs no memory.
const scanLimit = 8

// dictionary numbers UUIDs from 0 on. One writer or many readers.
type dictionary struct {
	list  []UUID
	index map[UUID]uint16 // once the list is longer than scanLimit
}

func (d *dictionary) find(u UUID) (uint16, bool) {
	if d.index != nil {
		n, ok := d.index[u]
		return n, ok
	}
	n := slices.Index(d.list, u)
	return uint16(n), n >= 0
}

// intern is find that adds what is missing; false if there is no room.
func (d *dictionary) intern(u UUID) (uint16, bool) {
	if n, ok := d.find(u); ok {
		return n, true
	}
	if len(d.list) >= maxRefs {
		return 0, false
	}
	n := uint16(len(d.list))
	d.list = append(d.list, u)
	switch {
	case d.index != nil:
		d.index[u] = n
	case len(d.list) > scanLimit:
		d.reindex()
	}
	return n, true
}

func (d *dictionary) reindex() {
	d.index = make(map[UUID]uint16, len(d.list))
	for i, u := range d.list {
		d.index[u] = uint16(i)
	}
}

// usable returns how many references, from 0 on, name a UUID; 0 if any of them names none.
func (d *dictionary) usable() int {
	if slices.Contains(d.list, UUID{}) {
		return 0
	}
	return len(d.list)
}
