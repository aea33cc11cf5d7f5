package mapfmt

import (
	"encoding/binary"
	"fmt"
)

// Layout of a chunk's base; offsets count from the start of the file.
//
//	16 owner       16 bytes        52 nr_uuids    u16
//	32 epoch       u64             54 nr_entries  u16
//	40 number      u64             56 salt        u64
//	48 object_size u32             64 uuids, entries, zeros up to the CRC
//
// The base is a multiple of RecordBytes long, so that no appended record lies in two sectors.
const (
	chunkHeader     = 64
	chunkMaxUUIDs   = 1 + ChunkEntries*MaxLevels
	baseEntryHeader = 4
	baseLevelBytes  = 26
	keyBytes        = 32
)

// ChunkFile is what a writer must know of the file of a chunk to append to it.
type ChunkFile struct {
	ID         ChunkID
	ObjectSize int64
	Salt       uint64 // of this base: random, never used twice
	Length     int64  // bytes that check; what follows is a torn tail
	Torn       int64  // bytes of the torn tail: cut it off and sync before the first append
	Records    uint32 // appended records that check

	seed  uint32
	uuids dictionary
}

// EncodeChunk returns the bytes of a new file of a chunk: a base with all entries of c and no
// appended records; and what is needed to append to it. Entries are stored in their normal form.
func EncodeChunk(id ChunkID, objectSize int64, salt uint64, c *Chunk) ([]byte, *ChunkFile, error) {
	if err := CheckObjectSize(objectSize); err != nil {
		return nil, nil, err
	}
	if id.No < 0 || id.Owner == (UUID{}) {
		return nil, nil, argumentf(kindChunk.what, "number %d of %x", id.No, id.Owner)
	}
	f := &ChunkFile{ID: id, ObjectSize: objectSize, Salt: salt}
	f.uuids.intern(id.Owner)
	entries, err := f.encodeEntries(c)
	if err != nil {
		return nil, nil, err
	}
	b := beginFrame(kindChunk, chunkHeader+16*len(f.uuids.list)+len(entries)+RecordBytes)
	b = appendChunkID(b, id)
	b = appendU32(b, uint32(objectSize))
	b = appendU16(b, uint16(len(f.uuids.list)))
	b = appendU16(b, uint16(c.Len()))
	b = appendU64(b, salt)
	for _, u := range f.uuids.list {
		b = append(b, u[:]...)
	}
	b = append(b, entries...)
	if over := (len(b) + frameTrailer) % RecordBytes; over != 0 {
		b = appendZeros(b, RecordBytes-over)
	}
	b = endFrame(b)
	f.Length = int64(len(b))
	f.seed = binary.LittleEndian.Uint32(b[len(b)-frameTrailer:])
	return b, f, nil
}

// encodeEntries: index u16, bottom u8, levels u8; per level: ref u16, epoch, birth, mask u64; the
// key (32 bytes) if there is a bottom. It puts the UUIDs into the dictionary.
func (f *ChunkFile) encodeEntries(c *Chunk) (b []byte, err error) {
	b = make([]byte, 0, c.Len()*(baseEntryHeader+baseLevelBytes))
	c.All(func(index int, e *Entry) bool {
		n := e.Normalize(f.ObjectSize)
		if n != *e { // Set has checked e
			if err = n.Check(); err != nil {
				err = fmt.Errorf("entry %d: %w", index, err)
				return false
			}
		}
		b = appendU16(b, uint16(index))
		b = append(b, byte(n.Bottom), n.NumLevels)
		for i := range int(n.NumLevels) {
			l := &n.Levels[i]
			ref, _ := f.uuids.intern(l.UUID)
			b = appendU16(b, ref)
			b = appendU64(b, l.Epoch)
			b = appendU64(b, l.Birth)
			b = appendU64(b, l.Mask)
		}
		if n.Bottom != BottomZero {
			b = append(b, n.Key[:]...)
		}
		return true
	})
	return b, err
}

// DecodeChunk reads the file of the chunk id of a volume with objects of objectSize bytes: base
// and appended records. A torn tail is no error: see ChunkFile.Torn. A record that doesn't check
// although a later one says that it was durable is.
func DecodeChunk(data []byte, id ChunkID, objectSize int64) (*ChunkFile, *Chunk, error) {
	d, length, sum, err := openFrame(kindChunk, data)
	if err != nil {
		return nil, nil, err
	}
	f := &ChunkFile{Length: int64(length), seed: sum}
	c, err := f.readBase(d)
	if err != nil {
		return nil, nil, err
	}
	if f.ID != id || f.ObjectSize != objectSize {
		return nil, nil, corruptf(d.what, "is %s with objects of %d bytes, not %s with %d",
			ChunkName(f.ID), f.ObjectSize, ChunkName(id), objectSize)
	}
	if err := f.readRecords(data, c); err != nil {
		return nil, nil, err
	}
	return f, c, nil
}

// IdentifyChunk says which chunk, with objects of which size, the file says it is; for tools.
func IdentifyChunk(data []byte) (ChunkID, int64, error) {
	d, _, _, err := openFrame(kindChunk, data)
	if err != nil {
		return ChunkID{}, 0, err
	}
	id, size := readChunkID(d), int64(d.u32())
	return id, size, d.err
}

func (f *ChunkFile) readBase(d *reader) (*Chunk, error) {
	f.ID = readChunkID(d)
	f.ObjectSize = int64(d.u32())
	uuids, entries := int(d.u16()), int(d.u16())
	f.Salt = d.u64()
	if f.Length%RecordBytes != 0 || entries > ChunkEntries || uuids > chunkMaxUUIDs {
		d.fail("%d bytes, %d entries, %d UUIDs", f.Length, entries, uuids)
	}
	f.uuids.list = readItems(d, "UUIDs", uuids, 16, (*reader).id)
	if len(f.uuids.list) > scanLimit {
		f.uuids.reindex()
	}
	c := &Chunk{}
	last := -1
	for range d.count("entries", entries, baseEntryHeader) {
		last = f.readBaseEntry(d, c, last)
	}
	d.zeros(len(d.rest))
	return c, d.end()
}

// readBaseEntry returns the index of the entry, which must be above last: in order, none twice.
func (f *ChunkFile) readBaseEntry(d *reader, c *Chunk, last int) int {
	index := int(d.u16())
	e := Entry{Bottom: Bottom(d.u8()), NumLevels: d.u8()}
	if e.NumLevels > MaxLevels || index <= last || index >= ChunkEntries {
		d.fail("entry %d after %d, with %d levels", index, last, e.NumLevels)
	}
	for i := range min(int(e.NumLevels), MaxLevels) {
		u := f.uuid(d, d.u16())
		e.Levels[i] = Level{UUID: u, Epoch: d.u64(), Birth: d.u64(), Mask: d.u64()}
	}
	if e.Bottom != BottomZero {
		copy(e.Key[:], d.take(keyBytes))
	}
	if d.err != nil {
		return index
	}
	if err := setStored(c, index, &e); err != nil {
		d.fail("%v", err)
	}
	return index
}

func (f *ChunkFile) uuid(d *reader, ref uint16) UUID {
	if int(ref) >= len(f.uuids.list) {
		d.fail("reference to UUID %d of %d", ref, len(f.uuids.list))
		return UUID{}
	}
	return f.uuids.list[ref]
}

// setStored refuses zero entries in a base: they are left out.
func setStored(c *Chunk, index int, e *Entry) error {
	if e.IsZero() {
		return fmt.Errorf("entry %d is zero", index)
	}
	return c.Set(index, e)
}
