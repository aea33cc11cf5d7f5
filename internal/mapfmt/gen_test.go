package mapfmt

import (
	"math"

	"pgregory.net/rapid"
)

// Generators of values that the format can hold.

var objectSizes = rapid.SampledFrom([]int64{64 << 10, 128 << 10, 256 << 10, 4 << 20, 64 << 20})

func genID(t *rapid.T, label string) (id [16]byte) {
	copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
	id[0] |= 1 // never zero
	return id
}

// genUUIDs draws a pool, so that UUIDs repeat as they do in a real map.
func genUUIDs(t *rapid.T) []UUID {
	pool := make([]UUID, rapid.IntRange(1, 12).Draw(t, "uuids"))
	for i := range pool {
		pool[i] = genID(t, "uuid")
	}
	return pool
}

// genEntry draws a normal, storable entry.
func genEntry(t *rapid.T, pool []UUID, objectSize int64) Entry {
	for {
		e := drawEntry(t, pool, objectSize)
		e = e.Normalize(objectSize)
		if e.Check() == nil {
			return e
		}
	}
}

func drawEntry(t *rapid.T, pool []UUID, objectSize int64) Entry {
	e := Entry{
		Bottom:    Bottom(rapid.IntRange(0, 2).Draw(t, "bottom")),
		NumLevels: uint8(rapid.IntRange(0, MaxLevels).Draw(t, "levels")),
	}
	for i := range int(e.NumLevels) {
		e.Levels[i] = Level{
			UUID:  rapid.SampledFrom(pool).Draw(t, "uuid"),
			Epoch: rapid.Uint64().Draw(t, "epoch"),
			Birth: rapid.Uint64().Draw(t, "birth"),
			Mask:  rapid.Uint64().Draw(t, "mask") & RealMask(objectSize),
		}
	}
	if e.Bottom != BottomZero {
		copy(e.Key[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
	}
	return e
}

func genBatch(t *rapid.T, pool []UUID, objectSize int64, most int) []IndexedEntry {
	batch := make([]IndexedEntry, rapid.IntRange(0, most).Draw(t, "batch"))
	for i := range batch {
		batch[i].Index = rapid.IntRange(0, ChunkEntries-1).Draw(t, "index")
		batch[i].Entry = genEntry(t, pool, objectSize)
	}
	return batch
}

// oracle is a chunk as a plain array.
type oracle [ChunkEntries]Entry

func (o *oracle) apply(batch []IndexedEntry) {
	for _, x := range batch {
		o[x.Index] = x.Entry
	}
}

// differs returns the first index at which c isn't o, or -1.
func (o *oracle) differs(c *Chunk) int {
	used := 0
	for i := range o {
		if c.Get(i) != o[i] {
			return i
		}
		if !o[i].IsZero() {
			used++
		}
	}
	if used != c.Len() {
		return ChunkEntries
	}
	return -1
}

func setAll(t *rapid.T, c *Chunk, batch []IndexedEntry) {
	for i := range batch {
		if err := c.Set(batch[i].Index, &batch[i].Entry); err != nil {
			t.Fatalf("Set: %v", err)
		}
	}
}

func genName(t *rapid.T) string {
	return rapid.StringMatching(`[A-Za-z0-9_:@+][A-Za-z0-9._:@+-]{0,40}`).Draw(t, "name")
}

func genTable(t *rapid.T, n int) []Owner {
	pool := genUUIDs(t)
	table := make([]Owner, n)
	for i := range table {
		if rapid.Bool().Draw(t, "owned") {
			table[i] = Owner{rapid.SampledFrom(pool).Draw(t, "owner"), rapid.Uint64().Draw(t, "epoch")}
		}
	}
	return table
}

func genRecord(t *rapid.T) *Record {
	objectSize := objectSizes.Draw(t, "object size")
	sectors := rapid.Int64Range(1, min(40*ChunkEntries*objectSize, MaxVolumeSize)/SectorSize)
	r := &Record{
		UUID:       genID(t, "uuid"),
		Size:       sectors.Draw(t, "sectors") * SectorSize,
		ObjectSize: objectSize,
		Flags:      Flags(rapid.Uint32().Draw(t, "flags")) & (FlagReadOnly | FlagHashed),
		Epoch:      rapid.Uint64().Draw(t, "epoch"),
		Created:    rapid.Int64().Draw(t, "created"),
		Modified:   rapid.Int64().Draw(t, "modified"),
		Creator:    genID(t, "creator"),
	}
	for range rapid.IntRange(0, 20).Draw(t, "ops") {
		r.NoteOp(genID(t, "op"))
	}
	for _, f := range []Flags{FlagPending, FlagMoving, FlagFrom, FlagTrim} {
		if rapid.Bool().Draw(t, "marked") {
			r.SetMark(Mark{f, genName(t), genID(t, "id"), rapid.Int64Range(0, math.MaxInt64).Draw(t, "offset")})
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "origins") {
		flags := OriginFlags(rapid.IntRange(0, int(knownOriginFlags)).Draw(t, "flags"))
		r.AddOrigin(Origin{genID(t, "origin"), rapid.Uint64().Draw(t, "epoch"), flags, genName(t)})
	}
	r.Table = genTable(t, TableLen(r.Size, r.ObjectSize))
	return r
}
