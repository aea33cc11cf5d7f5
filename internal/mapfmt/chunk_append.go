package mapfmt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// RecordBytes is the size of an appended record. Part of the format: do not change.
//
//	0  crc      u32, CRC-32C of the rest, continued from the CRC of the base
//	4  seq      u32, 1 for the first after the base, no gaps
//	8  index    u16
//	10 bottom   u8
//	11 levels   u8
//	12 refs     3 × u16, into the dictionary of the base
//	18 reserved u16
//	20 append   u32, seq of the first record of the same append; all before it was durable then
//	24 levels   3 × (epoch u64, birth u64, mask u64)
//	96 key      32 bytes
const RecordBytes = 128

// AppendBytes returns the bytes that add a batch of entries to the file at f.Length, as one
// append; f doesn't change. ErrDictionary or ErrFull: write a new base instead. Precondition:
// everything before f.Length is durable and f.Torn is 0.
func (f *ChunkFile) AppendBytes(b []byte, batch []IndexedEntry) ([]byte, error) {
	if f.Torn != 0 {
		return b, argumentf(kindChunk.what, "append to %d bytes of torn tail", f.Torn)
	}
	if len(batch) > math.MaxUint32-int(f.Records) {
		return b, fmt.Errorf("%s: %w", kindChunk.what, ErrFull)
	}
	start := len(b)
	for i := range batch {
		var err error
		if b, err = f.appendRecord(b, f.Records+1+uint32(i), &batch[i]); err != nil {
			return b[:start], err
		}
	}
	return b, nil
}

func (f *ChunkFile) appendRecord(b []byte, seq uint32, x *IndexedEntry) ([]byte, error) {
	e := x.Entry.Normalize(f.ObjectSize)
	if err := checkStored(x.Index, &x.Entry, &e); err != nil {
		return b, err
	}
	refs, err := f.refs(&e)
	if err != nil {
		return b, fmt.Errorf("entry %d: %w", x.Index, err)
	}
	start := len(b)
	b = appendU32(b, 0)
	b = appendU32(b, seq)
	b = appendU16(b, uint16(x.Index))
	b = append(b, byte(e.Bottom), e.NumLevels)
	for _, ref := range refs {
		b = appendU16(b, ref)
	}
	b = appendU16(b, 0)
	b = appendU32(b, f.Records+1)
	for i := range MaxLevels {
		b = appendU64(b, e.Levels[i].Epoch)
		b = appendU64(b, e.Levels[i].Birth)
		b = appendU64(b, e.Levels[i].Mask)
	}
	b = append(b, e.Key[:]...)
	binary.LittleEndian.PutUint32(b[start:], crc32.Update(f.seed, castagnoli, b[start+4:]))
	return b, nil
}

// checkStored checks an entry as it came, which Normalize might hide a fault of, and as it will be
// stored: a mask of nothing but bits beyond the object has become 0.
func checkStored(index int, came, stored *Entry) error {
	if index < 0 || index >= ChunkEntries {
		return argumentf(kindChunk.what, "entry %d", index)
	}
	for _, e := range [2]*Entry{came, stored} {
		if err := e.Check(); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	return nil
}

func (f *ChunkFile) refs(e *Entry) (refs [MaxLevels]uint16, err error) {
	for i := range int(e.NumLevels) {
		ref, ok := f.uuids.find(e.Levels[i].UUID)
		if !ok {
			return refs, fmt.Errorf("UUID %s: %w", FormatUUID(e.Levels[i].UUID), ErrDictionary)
		}
		refs[i] = ref
	}
	return refs, nil
}

// Advance says that the bytes of an append of n records are in the file, durably.
func (f *ChunkFile) Advance(n int) {
	f.Records += uint32(n)
	f.Length += int64(n) * RecordBytes
}

// readRecords applies the appended records up to the first that doesn't check or follow.
func (f *ChunkFile) readRecords(data []byte, c *Chunk) error {
	var batch uint32 // seq of the first record of the append that is being read
	for {
		rest := data[f.Length:]
		h, ok := f.recordAt(rest, f.Records+1)
		if !ok || h.batch != batch && h.batch != h.seq {
			break
		}
		if err := f.applyRecord(rest[:RecordBytes], c); err != nil {
			return err
		}
		batch = h.batch
		f.Advance(1)
	}
	f.Torn = int64(len(data)) - f.Length
	return f.checkTail(data)
}

// recordHead is what says whether a record follows.
type recordHead struct{ seq, batch uint32 }

// recordAt returns the head of the record at the start of b if it checks and has number seq.
func (f *ChunkFile) recordAt(b []byte, seq uint32) (recordHead, bool) {
	if len(b) < RecordBytes || seq == 0 {
		return recordHead{}, false
	}
	h := recordHead{binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[20:])}
	// The number first: it is cheap, and decides for the zeros of a torn tail.
	if h.seq != seq || h.batch == 0 || h.batch > seq {
		return h, false
	}
	return h, crc32.Update(f.seed, castagnoli, b[4:RecordBytes]) == binary.LittleEndian.Uint32(b)
}

// checkTail looks at what follows the last good record. An append is torn in any order, so good
// records may lie there; but one of a later append proves that the missing one was durable once:
// then it is damage, and cutting it off would lose what was promised.
func (f *ChunkFile) checkTail(data []byte) error {
	missing := f.Records + 1
	seq := missing
	for at := f.Length + RecordBytes; at+RecordBytes <= int64(len(data)); at += RecordBytes {
		seq++
		if h, ok := f.recordAt(data[at:], seq); ok && h.batch > missing {
			return corruptf(kindChunk.what, "record %d at byte %d does not check, but record %d does",
				missing, f.Length, seq)
		}
	}
	return nil
}

func (f *ChunkFile) applyRecord(b []byte, c *Chunk) error {
	var r raw
	index, key, err := r.decodeRecord(b)
	if err == nil {
		err = r.check(f.uuids.list)
	}
	if err != nil {
		return corruptf(kindChunk.what, "record %d: %v", f.Records+1, err)
	}
	c.put(index, &r, key)
	return nil
}

// decodeRecord reads the entry of an appended record. What the entry doesn't use must be zero.
func (r *raw) decodeRecord(b []byte) (index int, key []byte, err error) {
	le := binary.LittleEndian
	index = int(le.Uint16(b[8:]))
	r.bottom, r.levels = Bottom(b[10]), b[11]
	if index >= ChunkEntries || r.levels > MaxLevels || le.Uint16(b[18:]) != 0 {
		return 0, nil, entryf("index %d, %d levels, reserved %d", index, r.levels, le.Uint16(b[18:]))
	}
	for i := range MaxLevels {
		p := b[24+24*i:]
		r.refs[i] = le.Uint16(b[12+2*i:])
		r.level[i] = packedLevel{le.Uint64(p), le.Uint64(p[8:]), le.Uint64(p[16:])}
		if i >= int(r.levels) && (r.refs[i] != 0 || r.level[i] != packedLevel{}) {
			return 0, nil, entryf("level %d is set, but there are %d", i, r.levels)
		}
	}
	key = b[RecordBytes-keyBytes : RecordBytes]
	if r.bottom == BottomZero && [keyBytes]byte(key) != [keyBytes]byte{} {
		return 0, nil, entryf("key without a bottom")
	}
	return index, key, nil
}
