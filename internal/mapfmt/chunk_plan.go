package mapfmt

import "fmt"

// basePlan makes the entries of a base from a chunk in memory, in two passes over the slots: how
// much room they take and which UUIDs they name, then the bytes.
type basePlan struct {
	c    *Chunk
	f    *ChunkFile
	real uint64  // RealMask
	refs []int32 // by reference of the chunk: that of the file + 1; 0 = not used yet
	size int     // bytes of the entries
}

func (s *slot) isEmpty() bool { return s.levels == 0 && s.bottom == BottomZero }

// isPlain says that an entry only names an object, and is in its normal form: nearly all are so.
func (p *basePlan) isPlain(s *slot) bool {
	return s.tail == 0 && (s.level.mask == FullMask || s.level.mask&^p.real == 0 && s.level.mask != p.real)
}

// measure finds out how much room the entries take, and puts their UUIDs into the dictionary.
func (p *basePlan) measure() error {
	slots := p.c.slots
	if slots == nil {
		return nil
	}
	last := -1 // the reference of the plain entry before: mostly the same
	for i := range slots {
		s := &slots[i]
		switch {
		case s.isEmpty():
		case p.isPlain(s):
			if int(s.ref) != last {
				last = int(s.ref)
				p.ref(s.ref)
			}
			p.size += plainBytes
		default:
			r, _, err := p.normal(i, s)
			if err != nil {
				return fmt.Errorf("entry %d: %w", i, err)
			}
			p.size += r.size()
		}
	}
	return nil
}

// encode writes the entries: index u16, bottom u8, levels u8; per level: ref u16, epoch, birth, mask
// u64; the key (32 bytes) if there is a bottom. b has room for what measure found.
func (p *basePlan) encode(b []byte) {
	slots := p.c.slots
	if slots == nil {
		return
	}
	last, ref := -1, uint16(0) // of the plain entry before
	for i := range slots {
		s := &slots[i]
		switch {
		case s.isEmpty():
		case p.isPlain(s):
			if int(s.ref) != last {
				last, ref = int(s.ref), p.ref(s.ref)
			}
			putPlain((*[plainBytes]byte)(b), i, ref, &s.level)
			b = b[plainBytes:]
		default:
			r, key, _ := p.normal(i, s) // measure has seen that it doesn't fail
			b = b[r.encode(b, i, key[:]):]
		}
	}
}

// ref returns the reference of the file for one of the chunk. The file numbers UUIDs by first use.
func (p *basePlan) ref(of uint16) uint16 {
	n := &p.refs[of]
	if *n == 0 {
		ref, _ := p.f.uuids.intern(p.c.uuids.list[of])
		*n = int32(ref) + 1
	}
	return uint16(*n - 1)
}

// normal returns an entry in its normal form, with references of the file.
func (p *basePlan) normal(index int, s *slot) (r raw, key [keyBytes]byte, err error) {
	if r = p.c.take(s); r.isNormal(p.real) {
		for i := range int(r.levels) {
			r.refs[i] = p.ref(r.refs[i])
		}
		return r, p.c.keyOf(s), nil
	}
	e := p.c.Get(index)
	e = e.Normalize(p.f.ObjectSize)
	if err := e.Check(); err != nil {
		return raw{}, key, err
	}
	r = raw{bottom: e.Bottom, levels: e.NumLevels}
	for i := range int(e.NumLevels) {
		r.refs[i], _ = p.f.uuids.intern(e.Levels[i].UUID)
		r.level[i] = pack(&e.Levels[i])
	}
	return r, e.Key, nil
}
