package mapfmt

import "encoding/binary"

// A plain entry only names an object: one level, nothing below. Nearly all entries are plain, and
// they are read and written here without a step in between: what a chunk costs is what they cost.

// plainBytes is the size of a plain entry in a base.
const plainBytes = baseEntryHeader + baseLevelBytes

// plainHead is what the first four bytes of a plain entry are, beside the index: no bottom, one
// level.
const plainHead = uint32(1) << 24

func putPlain(b *[plainBytes]byte, index int, ref uint16, l *packedLevel) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(index)|plainHead)
	le.PutUint16(b[4:], ref)
	le.PutUint64(b[6:], l.epoch)
	le.PutUint64(b[14:], l.birth)
	le.PutUint64(b[22:], l.mask)
}

// plainReader reads runs of plain entries into the empty slots of a chunk.
type plainReader struct {
	slots *[ChunkEntries]slot
	refs  int // references from this on are left to others
	last  int // index of the last entry
}

// run reads the plain entries that b begins with, most at most, and returns how many. It stops
// before the first that is of another form, or that is wrong: whoever reads entries of any form says
// what is.
func (p *plainReader) run(b []byte, most int) int {
	le := binary.LittleEndian
	last := p.last
	n := 0
	for ; n < most && len(b) >= plainBytes; n++ {
		e := (*[plainBytes]byte)(b)
		head, ref, mask := le.Uint32(e[0:]), le.Uint16(e[4:]), le.Uint64(e[22:])
		index := int(head & 0xffff)
		if head>>16 != plainHead>>16 || index <= last || index >= ChunkEntries || int(ref) >= p.refs || mask == 0 {
			break
		}
		s := &p.slots[index]
		s.level.epoch, s.level.birth, s.level.mask = le.Uint64(e[6:]), le.Uint64(e[14:]), mask
		s.ref, s.levels = ref, 1
		last = index
		b = b[plainBytes:]
	}
	p.last = last
	return n
}
