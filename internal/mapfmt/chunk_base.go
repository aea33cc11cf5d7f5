package mapfmt

import (
	"encoding/binary"
	"maps"
	"slices"
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
	p := basePlan{c: c, f: f, real: RealMask(objectSize), refs: make([]int32, len(c.uuids.list))}
	if err := p.measure(); err != nil {
		return nil, nil, err
	}
	head := chunkHeader + 16*len(f.uuids.list)
	size := head + p.size + frameTrailer
	size += (RecordBytes - size%RecordBytes) % RecordBytes
	b := beginFrame(kindChunk, size-frameMin)
	b = appendChunkID(b, id)
	b = appendU32(b, uint32(objectSize))
	b = appendU16(b, uint16(len(f.uuids.list)))
	b = appendU16(b, uint16(c.Len()))
	b = appendU64(b, salt)
	for _, u := range f.uuids.list {
		b = append(b, u[:]...)
	}
	// The rest is zero as it was made, up to the CRC.
	b = b[:size-frameTrailer]
	p.encode(b[head:])
	b = endFrame(b)
	f.Length = int64(len(b))
	f.seed = binary.LittleEndian.Uint32(b[len(b)-frameTrailer:])
	return b, f, nil
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
	c := &Chunk{uuids: dictionary{list: slices.Clip(f.uuids.list), index: maps.Clone(f.uuids.index)}}
	f.readEntries(d, c, d.count("entries", entries, baseEntryHeader))
	d.zeros(len(d.rest))
	return c, d.end()
}

// readEntries reads the entries of a base: in the order of their indexes, none twice, none zero. The
// chunk has the dictionary of the file, so that references need no look-up.
func (f *ChunkFile) readEntries(d *reader, c *Chunk, n int) {
	if n == 0 {
		return
	}
	c.slots = new([ChunkEntries]slot)
	if len(d.rest)/n > 2*plainBytes {
		c.tails = make([]tail, 0, n) // most entries have more than an object of their own
	}
	p := plainReader{slots: c.slots, refs: f.uuids.usable(), last: -1}
	var r raw
	for read := 0; read < n; read++ {
		count := p.run(d.rest, n-read)
		d.rest = d.rest[count*plainBytes:]
		c.used += count
		if read += count; read == n {
			return
		}
		if p.last = f.readEntry(d, c, &r, p.last); d.err != nil {
			return
		}
	}
}

// readEntry reads an entry of any form and returns its index, which must be above last. r is room for
// it, so that not each one has to be cleared.
func (f *ChunkFile) readEntry(d *reader, c *Chunk, r *raw, last int) int {
	index, key, size := r.decode(d.rest)
	if size == 0 || index <= last || index >= ChunkEntries || r.isZero() {
		d.fail("entry %d after %d, with %d levels and a bottom of kind %d", index, last, r.levels, r.bottom)
		return last
	}
	if err := r.check(f.uuids.list); err != nil {
		d.fail("entry %d: %v", index, err)
		return last
	}
	d.rest = d.rest[size:]
	c.put(index, r, key)
	return index
}
