package mapfmt

import (
	"encoding/binary"
	"hash/crc32"
)

// PendingRecord is one committed entry in a pending log.
type PendingRecord struct {
	Number uint64 // consecutive
	Index  int64  // of the object in the volume
	Entry  Entry
}

// AppendPendingRecord appends the PendingRecordBytes of a record. seed is the log's.
//
//	0  crc      u32, CRC-32C of the rest, continued from the CRC of the header's frame
//	4  bottom   u8
//	5  levels   u8
//	6  reserved u16
//	8  number   u64
//	16 index    u64
//	24 levels   3 × (uuid 16 bytes, epoch u64, birth u64, mask u64)
//	144 key     32 bytes
//	176 reserved 16 bytes
func AppendPendingRecord(b []byte, seed uint32, p *PendingRecord) ([]byte, error) {
	if err := p.check(); err != nil {
		return b, err
	}
	start := len(b)
	b = appendU32(b, 0)
	b = append(b, byte(p.Entry.Bottom), p.Entry.NumLevels)
	b = appendU16(b, 0)
	b = appendU64(b, p.Number)
	b = appendU64(b, uint64(p.Index))
	for i := range MaxLevels {
		l := &p.Entry.Levels[i]
		b = append(b, l.UUID[:]...)
		b = appendU64(b, l.Epoch)
		b = appendU64(b, l.Birth)
		b = appendU64(b, l.Mask)
	}
	b = append(b, p.Entry.Key[:]...)
	b = appendZeros(b, pendingTailBytes)
	binary.LittleEndian.PutUint32(b[start:], crc32.Update(seed, castagnoli, b[start+4:]))
	return b, nil
}

const pendingTailBytes = 16

func (p *PendingRecord) check() error {
	if p.Number == 0 || p.Number > MaxPendingNumber || p.Index < 0 {
		return argumentf(kindPending.what, "record %d of object %d", p.Number, p.Index)
	}
	return p.Entry.Check()
}

// DecodePendingRecord reads a record from the start of b. ErrCorrupt if it doesn't check.
func DecodePendingRecord(b []byte, seed uint32) (*PendingRecord, error) {
	if len(b) < PendingRecordBytes {
		return nil, corruptf(kindPending.what, "record of %d bytes", len(b))
	}
	b = b[:PendingRecordBytes]
	sum := crc32.Update(seed, castagnoli, b[4:])
	if got := binary.LittleEndian.Uint32(b); got != sum {
		return nil, corruptf(kindPending.what, "CRC of record is %08x, the bytes give %08x", got, sum)
	}
	d := &reader{what: kindPending.what, rest: b[4:]}
	p := &PendingRecord{Entry: Entry{Bottom: Bottom(d.u8()), NumLevels: d.u8()}}
	d.zeros(2)
	p.Number, p.Index = d.u64(), int64(d.u64())
	for i := range MaxLevels {
		p.Entry.Levels[i] = Level{UUID: d.id(), Epoch: d.u64(), Birth: d.u64(), Mask: d.u64()}
	}
	copy(p.Entry.Key[:], d.take(keyBytes))
	d.zeros(pendingTailBytes)
	if err := d.end(); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, corruptf(d.what, "%v", err)
	}
	return p, nil
}

// ReplayPending calls f for the records of a whole log in their order, from the first that counts
// up to the one before the first that doesn't check or follow. It returns the header, and the
// number that the next record gets. f must not keep its argument.
func ReplayPending(data []byte, f func(*PendingRecord) error) (*PendingHeader, uint64, error) {
	h, seed, err := DecodePendingHeader(data)
	if err != nil {
		return nil, 0, err
	}
	if h.FileBytes() != int64(len(data)) {
		return nil, 0, corruptf(kindPending.what, "%d bytes, its %d slots need %d",
			len(data), h.Slots, h.FileBytes())
	}
	next := h.First
	for range h.Slots {
		p, err := DecodePendingRecord(data[h.Offset(next):], seed)
		if err != nil || p.Number != next {
			break
		}
		if err := f(p); err != nil {
			return nil, 0, err
		}
		next++
	}
	return h, next, nil
}
