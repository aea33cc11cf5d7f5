package mapfmt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// codec is one kind of file with a fixed sample of it.
type codec struct {
	name   string
	kind   kind
	sample any
	encode func(any) ([]byte, error)
	decode func([]byte) (any, error)
}

// pageSample has an id besides its rows.
type pageSample struct {
	ID    ChunkID
	Table []Owner
}

// chunkSample is what is compared of a chunk.
type chunkSample struct {
	Entries []IndexedEntry
	Appends [][]IndexedEntry
}

func codecs() []codec {
	return []codec{
		{"record", kindRecord, sampleRecord(), func(v any) ([]byte, error) { return EncodeRecord(v.(*Record)) },
			func(b []byte) (any, error) { return DecodeRecord(b) }},
		{"blank", kindRecord, &Record{UUID: UUID{1}, Size: 512, ObjectSize: 64 << 10, Table: []Owner{{}}},
			func(v any) ([]byte, error) { return EncodeRecord(v.(*Record)) },
			func(b []byte) (any, error) { return DecodeRecord(b) }},
		{"tombstone", kindTombstone, sampleTombstone(),
			func(v any) ([]byte, error) { return EncodeTombstone(v.(*Tombstone)) },
			func(b []byte) (any, error) { return DecodeTombstone(b) }},
		{"lock", kindLock, sampleLock(), func(v any) ([]byte, error) { return EncodeLock(v.(*LockContent)) },
			func(b []byte) (any, error) { return DecodeLock(b) }},
		{"lease", kindLease, &Lease{"node-1.example", filled(0x30), 0x4142434445464748},
			func(v any) ([]byte, error) { return EncodeLease(v.(*Lease)) },
			func(b []byte) (any, error) { return DecodeLease(b) }},
		{"store", kindStore, &StoreHeader{filled(0x50), NodesShared, 0x6162636465666768},
			func(v any) ([]byte, error) { return EncodeStoreHeader(v.(*StoreHeader)) },
			func(b []byte) (any, error) { return DecodeStoreHeader(b) }},
		{"group", kindGroup, sampleGroup(), func(v any) ([]byte, error) { return EncodeGroup(v.(*Group)) },
			func(b []byte) (any, error) { return DecodeGroup(b) }},
		{"page", kindPage, samplePage(), func(v any) ([]byte, error) {
			p := v.(*pageSample)
			return EncodePage(p.ID, p.Table)
		}, func(b []byte) (any, error) {
			table, err := DecodePage(b, samplePageID)
			return &pageSample{samplePageID, table}, err
		}},
		{"chunk", kindChunk, sampleChunkValue(), encodeChunkSample, decodeChunkSample},
		{"pending", kindPending, samplePendingHeader(),
			func(v any) ([]byte, error) { return EncodePendingHeader(v.(*PendingHeader)) },
			func(b []byte) (any, error) { h, _, err := DecodePendingHeader(b); return h, err }},
	}
}

// filled returns 16 bytes that count up from n: each byte of a file is told from its neighbours.
func filled(n byte) (id [16]byte) {
	for i := range id {
		id[i] = n + byte(i)
	}
	return id
}

func sampleRecord() *Record {
	r := &Record{
		UUID: filled(0x10), Size: 9<<30 + 512, ObjectSize: 4 << 20, Flags: FlagReadOnly | FlagHashed,
		Epoch: 0x2122232425262728, Created: 0x3132333435363738, Modified: 0x4142434445464748,
		Creator: filled(0x50),
	}
	r.NoteOp(filled(0x60))
	r.NoteOp(filled(0x70))
	r.SetMark(Mark{FlagTrim, "other", filled(0x80), 0x0102030405060708})
	r.AddOrigin(Origin{filled(0x90), 0xa1a2a3a4a5a6a7a8, OriginSnapshot | OriginForeign, "snap"})
	r.Table = []Owner{{filled(0x10), 0xb1b2b3b4b5b6b7b8}, {}, {filled(0xc0), 2}}
	return r
}

func sampleTombstone() *Tombstone {
	return &Tombstone{"gone", 0x3132333435363738, filled(0xd0), sampleRecord()}
}

func sampleLock() *LockContent {
	return &LockContent{"node-1.example", filled(0x10), filled(0x20), LockExclusive, 0x3132333435363738, "v2:[::1]:1/2"}
}

func sampleGroup() *Group {
	return &Group{filled(0x10), 0x2122232425262728, GroupGivenUp, []string{"snap1", "s"}}
}

var samplePageID = ChunkID{filled(0x10), 0x2122232425262728, 0x3132333435363738}

func samplePage() *pageSample {
	p := &pageSample{samplePageID, make([]Owner, PageChunks)}
	for i := range p.Table {
		if i%3 != 0 {
			p.Table[i] = Owner{filled(byte(i % 50)), uint64(i)}
		}
	}
	return p
}

func samplePendingHeader() *PendingHeader {
	return &PendingHeader{filled(0x10), filled(0x20), filled(0x30), filled(0x40), 0x5152535455565758,
		0x6162636465666768, 4 << 20, 4, 0xa1a2a3a4a5a6}
}

func sampleChunkValue() *chunkSample {
	own := Entry{NumLevels: 1, Levels: [4]Level{{testChunkID.Owner, 7, 0x1112131415161718, FullMask}}}
	foreign := Entry{Bottom: BottomForeign, Key: ForeignKey(1, 2)}
	return &chunkSample{
		Entries: []IndexedEntry{{0, own}, {5, largestEntry(UUID{9}, 1)}, {6, foreign}},
		Appends: [][]IndexedEntry{
			{{5, largestEntry(testChunkID.Owner, 2)}}, {{6, Entry{}}, {1023, own}},
		},
	}
}

func encodeChunkSample(v any) ([]byte, error) {
	s := v.(*chunkSample)
	var c Chunk
	for i := range s.Entries {
		if err := c.Set(s.Entries[i].Index, &s.Entries[i].Entry); err != nil {
			return nil, err
		}
	}
	data, f, err := EncodeChunk(testChunkID, 4<<20, 0x2122232425262728, &c)
	for _, batch := range s.Appends {
		if err == nil {
			data, err = f.AppendBytes(data, batch)
			f.Advance(len(batch))
		}
	}
	return data, err
}

// decodeChunkSample can't tell what was appended: it gives the sample back if the entries are right.
func decodeChunkSample(b []byte) (any, error) {
	_, c, err := DecodeChunk(b, testChunkID, 4<<20)
	if err != nil {
		return nil, err
	}
	var o oracle
	s := sampleChunkValue()
	o.apply(s.Entries)
	for _, batch := range s.Appends {
		o.apply(batch)
	}
	if i := o.differs(c); i >= 0 {
		return c, nil
	}
	return s, nil
}

// TestGolden holds the bytes of every kind of file still: a change of them is a new version.
func TestGolden(t *testing.T) {
	for _, c := range codecs() {
		path := filepath.Join("testdata", c.name+".golden")
		got, err := c.encode(c.sample)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the encoding has changed", c.name)
		}
		v, err := c.decode(want)
		if err != nil || !reflect.DeepEqual(c.sample, v) { // cmp alone takes long for a page
			t.Errorf("%s: %v\n%s", c.name, err, cmp.Diff(c.sample, v))
		}
	}
}

// baseOf returns the framed part, which must check as a whole.
func baseOf(data []byte) []byte { return data[:binary.LittleEndian.Uint32(data[12:])] }

// step makes tests of every byte skip through what is large.
func step(data []byte) int { return 1 + len(data)/500 }

func TestBitFlips(t *testing.T) {
	for _, c := range codecs() {
		data, _ := c.encode(c.sample)
		whole := len(data)
		if c.kind == kindChunk {
			whole = len(baseOf(data)) // the rest: TestChunkBitFlips
		}
		for i := 0; i < whole; i += step(data) {
			for bit := range 8 {
				data[i] ^= 1 << bit
				if _, err := c.decode(data); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%s: bit %d of byte %d: %v", c.name, bit, i, err)
				}
				data[i] ^= 1 << bit
			}
		}
	}
}

func TestTruncated(t *testing.T) {
	for _, c := range codecs() {
		data, _ := c.encode(c.sample)
		if c.kind == kindChunk {
			data = baseOf(data)
		}
		for n := 0; n < len(data); n += step(data) {
			if _, err := c.decode(data[:n]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: %d of %d bytes: %v", c.name, n, len(data), err)
			}
		}
		if c.kind == kindChunk || c.kind == kindPending {
			continue // records follow
		}
		if _, err := c.decode(append(data, 0)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: a byte too many: %v", c.name, err)
		}
	}
}

// reframe makes the first n bytes a frame whose length and CRC are right, whatever is in it.
func reframe(data []byte, n int) []byte {
	if n < frameMin || n > len(data) {
		return data
	}
	binary.LittleEndian.PutUint32(data[12:], uint32(n))
	sum := crc32.Checksum(data[:n-frameTrailer], castagnoli)
	binary.LittleEndian.PutUint32(data[n-frameTrailer:], sum)
	return data
}

func TestOtherVersions(t *testing.T) {
	for _, c := range codecs() {
		data, _ := c.encode(c.sample)
		binary.LittleEndian.PutUint32(data[8:], 5)
		_, err := c.decode(reframe(data, len(baseOf(data))))
		if !errors.Is(err, ErrVersion) || errors.Is(err, ErrCorrupt) ||
			!strings.Contains(err.Error(), "version 5, this code knows 4") {
			t.Errorf("%s: version 5: %v", c.name, err)
		}
		original := append([]byte("AMF.\x00\x00\x00\x02"), make([]byte, 100)...)
		_, err = c.decode(original)
		if !errors.Is(err, ErrOriginal) || errors.Is(err, ErrCorrupt) ||
			!strings.Contains(err.Error(), "version 2") {
			t.Errorf("%s: map of the original system: %v", c.name, err)
		}
		if _, err := c.decode(make([]byte, 4096)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: zeros: %v", c.name, err)
		}
	}
}

// TestOtherKinds gives every decoder every other kind of file.
func TestOtherKinds(t *testing.T) {
	for _, c := range codecs() {
		for _, other := range codecs() {
			data, _ := other.encode(other.sample)
			if _, err := c.decode(data); c.kind != other.kind && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s read as %s: %v", other.name, c.name, err)
			}
		}
	}
}

// TestHostileCounts puts large numbers into every place of files that check otherwise: a decoder
// may refuse or accept, but not allocate by what it was told.
func TestHostileCounts(t *testing.T) {
	for _, c := range codecs() {
		data, _ := c.encode(c.sample)
		n := len(baseOf(data))
		for at := frameHeader; at+4 <= n-frameTrailer; at += step(data) {
			hostile := bytes.Clone(data)
			for i := range 4 {
				hostile[at+i] = 0xff
			}
			reframe(hostile, n)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c.decode(hostile)
			runtime.ReadMemStats(&after)
			// A chunk with one entry has room for all: that constant is part of the bound.
			if used := after.TotalAlloc - before.TotalAlloc; used > 64*uint64(len(data))+256<<10 {
				t.Fatalf("%s: 0xffffffff at %d: %d bytes allocated for %d", c.name, at, used, len(data))
			}
		}
	}
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord(t)
		data, err := EncodeRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRecord(data)
		if diff := cmp.Diff(r, got); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
		tomb := &Tombstone{genName(t), rapid.Int64().Draw(t, "removed"), genID(t, "op"), r}
		data, err = EncodeTombstone(tomb)
		if err != nil {
			t.Fatal(err)
		}
		gone, err := DecodeTombstone(data)
		if diff := cmp.Diff(tomb, gone); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

func TestPageRoundTrip(t *testing.T) {
	p := samplePage()
	data, err := EncodePage(p.ID, p.Table)
	if err != nil {
		t.Fatal(err)
	}
	other := p.ID
	other.Epoch++
	if _, err := DecodePage(data, other); !errors.Is(err, ErrCorrupt) {
		t.Errorf("page under another name: %v", err)
	}
	if _, err := EncodePage(p.ID, p.Table[1:]); !errors.Is(err, ErrArgument) {
		t.Errorf("short page: %v", err)
	}
}

// TestCrafted: files that check as a whole, but break a rule inside, are refused.
func TestCrafted(t *testing.T) {
	decoders := map[string]codec{}
	for _, c := range codecs() {
		decoders[c.name] = c
	}
	rows := recordHeader + 2*16 + markHeader + len("other") + originHeader + len("snap") + 2*16
	for _, c := range []struct {
		name, file string
		change     func([]byte)
	}{
		{"magic", "record", func(b []byte) { b[7]++ }},
		{"row without a UUID but with an epoch", "record", func(b []byte) { b[rows+rowBytes+2] = 1 }},
		{"row of a UUID that isn't there", "record", func(b []byte) { b[rows] = 3 }},
		{"rule of the record", "record", func(b []byte) { b[44] = 1 }},
		{"name of a tombstone", "tombstone", func(b []byte) { b[tombstoneHeader] = '/' }},
		{"CRC of the record in a tombstone", "tombstone", func(b []byte) { b[tombstoneHeader+60]++ }},
		{"mode of a lock", "lock", func(b []byte) { b[56] = lockModes }},
		{"node of a lease", "lease", func(b []byte) { b[48] = '.' }},
		{"nodes of a store", "store", func(b []byte) { b[40] = 9 }},
		{"rows of a page", "page", func(b []byte) { b[53] = 1 }},
		{"negative number of a page", "page", func(b []byte) { b[47] = 0x80 }},
		// The last of the three: without its key, what follows is padding.
		{"zero entry in a base", "chunk", func(b []byte) { clear(b[chunkHeader+2*16+30+114+2:][:34]) }},
		{"levels of an entry in a base", "chunk", func(b []byte) { b[chunkHeader+2*16+3] = 4 }},
		{"UUID of an entry in a base", "chunk", func(b []byte) { b[chunkHeader+2*16+4] = 2 }},
		{"padding of a base", "chunk", func(b []byte) { b[len(baseOf(b))-frameTrailer-1] = 1 }},
		{"slots of a log", "pending", func(b []byte) { b[100] = 0 }},
		{"gap of a log's header", "pending", func(b []byte) { b[200] = 1 }},
	} {
		k := decoders[c.file]
		data, err := k.encode(k.sample)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.decode(reframe(data, len(baseOf(data)))); err != nil {
			t.Fatalf("unchanged %s: %v", c.file, err)
		}
		c.change(data)
		if _, err := k.decode(reframe(data, len(baseOf(data)))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
