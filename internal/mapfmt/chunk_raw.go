package mapfmt

import "encoding/binary"

// raw is an entry as it lies in a file: with references into the dictionary of the chunk in place of
// UUIDs, and without its key. Chunks are read and written through it, without an Entry for each of their entries.
type raw struct {
	bottom Bottom
	levels uint8
	refs   [MaxLevels]uint16
	level  [MaxLevels]packedLevel
}

// check is Entry.Check: uuids is the dictionary of the chunk.
func (r *raw) check(uuids []UUID) error {
	if r.levels > MaxLevels || r.bottom > BottomForeign {
		return entryf("%d levels, bottom of kind %d", r.levels, r.bottom)
	}
	for i := range int(r.levels) {
		switch l := &r.level[i]; {
		case int(r.refs[i]) >= len(uuids):
			return entryf("reference to UUID %d of %d", r.refs[i], len(uuids))
		case l.mask == 0:
			return entryf("level %d holds nothing", i)
		case uuids[r.refs[i]] == UUID{}:
			return entryf("level %d has no UUID", i)
		}
		for j := range i {
			if r.level[i].birth == r.level[j].birth && r.level[i].epoch == r.level[j].epoch &&
				uuids[r.refs[i]] == uuids[r.refs[j]] {
				return entryf("levels %d and %d are the same object", j, i)
			}
		}
	}
	return nil
}

func (r *raw) isZero() bool { return r.levels == 0 && r.bottom == BottomZero }

// put stores a checked entry whose references are into the dictionary of c. The key counts only with
// a bottom; it is copied.
func (c *Chunk) put(index int, r *raw, key []byte) {
	if c.slots == nil {
		if r.isZero() {
			return
		}
		c.slots = new([ChunkEntries]slot)
	}
	s := &c.slots[index]
	c.clear(s)
	if r.isZero() {
		return
	}
	c.used++
	s.levels, s.bottom, s.ref, s.level = r.levels, r.bottom, r.refs[0], r.level[0]
	if r.levels <= 1 && r.bottom == BottomZero {
		return
	}
	s.tail = c.newTail()
	t := &c.tails[s.tail-1]
	copy(t.levels[:], r.level[1:])
	copy(t.refs[:], r.refs[1:])
	if r.bottom != BottomZero {
		t.key = c.newKey([keyBytes]byte(key))
	}
}

// take reads the entry of a slot that isn't empty.
func (c *Chunk) take(s *slot) raw {
	r := raw{bottom: s.bottom, levels: s.levels}
	r.refs[0], r.level[0] = s.ref, s.level
	if s.tail != 0 {
		t := &c.tails[s.tail-1]
		copy(r.level[1:], t.levels[:])
		copy(r.refs[1:], t.refs[:])
	}
	return r
}

func (c *Chunk) keyOf(s *slot) (key [keyBytes]byte) {
	if s.tail != 0 && c.tails[s.tail-1].key != 0 {
		key = c.keys[c.tails[s.tail-1].key-1]
	}
	return key
}

// isNormal says that Entry.Normalize would change nothing. real is the RealMask of the object size.
func (r *raw) isNormal(real uint64) bool {
	var held uint64
	for i := range int(r.levels) {
		mask := r.level[i].mask
		if mask != FullMask && (mask&^real != 0 || mask == real) || i > 0 && mask&real&^held == 0 {
			return false
		}
		held |= mask
	}
	return r.bottom == BottomZero || real&^held != 0
}

// size is the number of bytes in a base.
func (r *raw) size() int {
	n := baseEntryHeader + int(r.levels)*baseLevelBytes
	if r.bottom != BottomZero {
		n += keyBytes
	}
	return n
}

// encode writes the entry as it is in a base, to b, which has room; it returns the size.
func (r *raw) encode(b []byte, index int, key []byte) int {
	putEntryHead(b[:baseEntryHeader], index, r.bottom, r.levels)
	n := baseEntryHeader
	for i := range int(r.levels) {
		putBaseLevel(b[n:n+baseLevelBytes], r.refs[i], &r.level[i])
		n += baseLevelBytes
	}
	if r.bottom != BottomZero {
		n += copy(b[n:], key)
	}
	return n
}

func putEntryHead(b []byte, index int, bottom Bottom, levels uint8) {
	_ = b[3]
	binary.LittleEndian.PutUint16(b, uint16(index))
	b[2], b[3] = byte(bottom), levels
}

func putBaseLevel(b []byte, ref uint16, l *packedLevel) {
	le := binary.LittleEndian
	_ = b[baseLevelBytes-1]
	le.PutUint16(b, ref)
	le.PutUint64(b[2:], l.epoch)
	le.PutUint64(b[10:], l.birth)
	le.PutUint64(b[18:], l.mask)
}

// decode reads an entry of a base. It returns its index, its key (of b, not copied) and its size; 0
// if it doesn't fit b.
func (r *raw) decode(b []byte) (index int, key []byte, size int) {
	if len(b) < baseEntryHeader {
		return 0, nil, 0
	}
	le := binary.LittleEndian
	index = int(le.Uint16(b))
	r.bottom, r.levels = Bottom(b[2]), b[3]
	if r.levels > MaxLevels || len(b) < r.size() {
		return index, nil, 0
	}
	n := baseEntryHeader
	for i := range MaxLevels {
		if i >= int(r.levels) {
			r.refs[i], r.level[i] = 0, packedLevel{}
			continue
		}
		p := b[n : n+baseLevelBytes]
		r.refs[i] = le.Uint16(p)
		r.level[i] = packedLevel{le.Uint64(p[2:]), le.Uint64(p[10:]), le.Uint64(p[18:])}
		n += baseLevelBytes
	}
	if r.bottom != BottomZero {
		key = b[n : n+keyBytes]
		n += keyBytes
	}
	return index, key, n
}
