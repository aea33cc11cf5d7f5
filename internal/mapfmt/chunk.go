package mapfmt

import "fmt"

// Chunk holds the entries of one chunk in memory: nothing while it is all zeros, 32 bytes per
// entry that only names its own object, about 120 for the largest. Not safe for concurrent use,
// but for concurrent Get.
type Chunk struct {
	slots *[ChunkEntries]slot // nil until an entry isn't zero
	uuids dictionary
	tails []tail
	keys  [][32]byte
	free  uint32 // first unused tail, as in slot.tail; chained by tail.key
	spare uint32 // first unused key + 1; chained by its first bytes
	used  int
}

// slot is an entry without what most entries lack.
type slot struct {
	level  packedLevel
	tail   uint32 // index in tails + 1; 0 = neither lower levels nor a key
	ref    uint16
	levels uint8
	bottom Bottom
}

type packedLevel struct{ epoch, birth, mask uint64 }

// tail is what lies below level 0.
type tail struct {
	levels [MaxLevels - 1]packedLevel
	refs   [MaxLevels - 1]uint16
	key    uint32 // index in keys + 1; 0 = none
}

// IndexedEntry is an entry with its position in the chunk, 0 to ChunkEntries-1.
type IndexedEntry struct {
	Index int
	Entry Entry
}

// Len returns the number of entries that aren't zero.
func (c *Chunk) Len() int { return c.used }

// Get returns the entry at index, 0 to ChunkEntries-1.
func (c *Chunk) Get(index int) Entry {
	if c.slots == nil {
		return Entry{}
	}
	s := &c.slots[index]
	e := Entry{NumLevels: s.levels, Bottom: s.bottom}
	if s.levels > 0 {
		e.Levels[0] = c.unpack(s.level, s.ref)
	}
	if s.tail == 0 {
		return e
	}
	t := &c.tails[s.tail-1]
	for i := 1; i < int(s.levels); i++ {
		e.Levels[i] = c.unpack(t.levels[i-1], t.refs[i-1])
	}
	if t.key != 0 {
		e.Key = c.keys[t.key-1]
	}
	return e
}

func (c *Chunk) unpack(p packedLevel, ref uint16) Level {
	return Level{UUID: c.uuids.list[ref], Epoch: p.epoch, Birth: p.birth, Mask: p.mask}
}

// Set stores e at index, 0 to ChunkEntries-1. It fails only if e fails its Check.
func (c *Chunk) Set(index int, e *Entry) error {
	if err := e.Check(); err != nil {
		return fmt.Errorf("entry %d: %w", index, err)
	}
	if c.slots == nil {
		if e.IsZero() {
			return nil
		}
		c.slots = new([ChunkEntries]slot)
	}
	c.clear(&c.slots[index])
	if e.IsZero() {
		return nil
	}
	c.store(index, e)
	c.used++
	return nil
}

// store fills an empty slot.
func (c *Chunk) store(index int, e *Entry) {
	refs := c.internAll(e)
	s := slot{levels: e.NumLevels, bottom: e.Bottom, ref: refs[0]}
	if e.NumLevels > 0 {
		s.level = pack(&e.Levels[0])
	}
	if e.NumLevels > 1 || e.Bottom != BottomZero {
		s.tail = c.newTail()
		t := &c.tails[s.tail-1]
		for i := 1; i < int(e.NumLevels); i++ {
			t.levels[i-1], t.refs[i-1] = pack(&e.Levels[i]), refs[i]
		}
		if e.Bottom != BottomZero {
			t.key = c.newKey(e.Key)
		}
	}
	c.slots[index] = s
}

func pack(l *Level) packedLevel { return packedLevel{l.Epoch, l.Birth, l.Mask} }

// internAll numbers the UUIDs of an entry. A dictionary that is full holds mostly UUIDs that no
// entry uses any more: 1024 entries can't use that many.
func (c *Chunk) internAll(e *Entry) (refs [MaxLevels]uint16) {
	if len(c.uuids.list) > maxRefs-MaxLevels {
		c.rebuild()
	}
	for i := range int(e.NumLevels) {
		refs[i], _ = c.uuids.intern(e.Levels[i].UUID)
	}
	return refs
}

// rebuild stores every entry anew, with fresh dictionary, tails and keys.
func (c *Chunk) rebuild() {
	old := *c
	*c = Chunk{slots: new([ChunkEntries]slot), used: old.used}
	for i := range old.slots {
		if s := &old.slots[i]; s.levels != 0 || s.bottom != BottomZero {
			e := old.Get(i)
			c.store(i, &e)
		}
	}
}

func (c *Chunk) clear(s *slot) {
	if s.levels == 0 && s.bottom == BottomZero {
		return
	}
	c.used--
	if s.tail != 0 {
		t := &c.tails[s.tail-1]
		if t.key != 0 {
			c.freeKey(t.key)
		}
		*t = tail{key: c.free}
		c.free = s.tail
	}
	*s = slot{}
}

func (c *Chunk) newTail() uint32 {
	n := c.free
	if n == 0 {
		c.tails = append(c.tails, tail{})
		return uint32(len(c.tails))
	}
	t := &c.tails[n-1]
	c.free, *t = t.key, tail{}
	return n
}

func (c *Chunk) newKey(key [32]byte) uint32 {
	n := c.spare
	if n == 0 {
		c.keys = append(c.keys, key)
		return uint32(len(c.keys))
	}
	c.spare = nextKey(c.keys[n-1])
	c.keys[n-1] = key
	return n
}

func (c *Chunk) freeKey(n uint32) {
	c.keys[n-1] = [32]byte{byte(c.spare), byte(c.spare >> 8)}
	c.spare = n
}

// nextKey reads the chain of unused keys: there are at most ChunkEntries, so two bytes do.
func nextKey(key [32]byte) uint32 { return uint32(key[0]) | uint32(key[1])<<8 }

// All calls f for each entry that isn't zero, in the order of their indexes, until f returns false.
// f must not keep its pointer, nor call Set.
func (c *Chunk) All(f func(index int, e *Entry) bool) {
	if c.slots == nil {
		return
	}
	var e Entry // one for all, since it escapes
	for i := range c.slots {
		if s := &c.slots[i]; s.levels == 0 && s.bottom == BottomZero {
			continue
		}
		if e = c.Get(i); !f(i, &e) {
			return
		}
	}
}
