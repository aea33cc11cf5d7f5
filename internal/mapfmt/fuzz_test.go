package mapfmt

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// addSeeds gives the fuzzer what lies in testdata.
func addSeeds(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.golden")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// mended returns data as it is, and, since no fuzzer guesses a CRC, framed so that it checks.
func mended(k kind, data []byte) [][]byte {
	if len(data) < frameMin {
		return [][]byte{data}
	}
	whole := append([]byte(nil), data...)
	copy(whole, k.magic)
	binary.LittleEndian.PutUint32(whole[8:], Version)
	part := append([]byte(nil), whole...)
	n := int(binary.LittleEndian.Uint32(part[12:]))
	return [][]byte{data, reframe(whole, len(whole)), reframe(part, n)}
}

// fuzzWhole: what a decoder accepts, its encoder writes, and it reads the same back.
func fuzzWhole[T any](f *testing.F, k kind, decode func([]byte) (T, error), encode func(T) ([]byte, error)) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, b := range mended(k, data) {
			v, err := decode(b)
			if err != nil {
				continue
			}
			again, err := encode(v)
			if err != nil {
				t.Fatalf("accepted, but not written: %v", err)
			}
			w, err := decode(again)
			if err != nil || !reflect.DeepEqual(v, w) {
				t.Fatalf("%v\nread  %+v\nagain %+v", err, v, w)
			}
		}
	})
}

func FuzzRecord(f *testing.F) { fuzzWhole(f, kindRecord, DecodeRecord, EncodeRecord) }
func FuzzGroup(f *testing.F)  { fuzzWhole(f, kindGroup, DecodeGroup, EncodeGroup) }

func FuzzTombstone(f *testing.F) { fuzzWhole(f, kindTombstone, DecodeTombstone, EncodeTombstone) }
func FuzzLock(f *testing.F)      { fuzzWhole(f, kindLock, DecodeLock, EncodeLock) }
func FuzzLease(f *testing.F)     { fuzzWhole(f, kindLease, DecodeLease, EncodeLease) }
func FuzzStore(f *testing.F)     { fuzzWhole(f, kindStore, DecodeStoreHeader, EncodeStoreHeader) }

func FuzzPage(f *testing.F) {
	id := samplePage().ID
	fuzzWhole(f, kindPage, func(b []byte) ([]Owner, error) { return DecodePage(b, id) },
		func(table []Owner) ([]byte, error) { return EncodePage(id, table) })
}

func FuzzPendingHeader(f *testing.F) {
	fuzzWhole(f, kindPending, func(b []byte) (PendingHeader, error) {
		h, _, err := DecodePendingHeader(b)
		if err != nil {
			return PendingHeader{}, err
		}
		return *h, nil
	}, func(h PendingHeader) ([]byte, error) { return EncodePendingHeader(&h) })
}

func FuzzPendingRecord(f *testing.F) {
	b, err := AppendPendingRecord(nil, 1, &PendingRecord{1, 2, largestEntry(UUID{1}, 3)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		for range 2 {
			if p, err := DecodePendingRecord(data, 1); err == nil {
				again, err := AppendPendingRecord(nil, 1, p)
				if err != nil || string(again) != string(data[:PendingRecordBytes]) {
					t.Fatalf("%+v: %v", p, err)
				}
			}
			mendRecord(data, 1, PendingRecordBytes)
		}
	})
}

// FuzzReplayPending reads whole logs.
func FuzzReplayPending(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		h, next, err := ReplayPending(data, func(*PendingRecord) error { return nil })
		if err == nil && (next < h.First || next > h.First+uint64(h.Slots)) {
			t.Fatalf("first %d, next %d, %d slots", h.First, next, h.Slots)
		}
	})
}

// FuzzChunk also mends the records that follow the base.
func FuzzChunk(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, b := range mended(kindChunk, data) {
			id, size, err := IdentifyChunk(b)
			if err != nil {
				continue
			}
			mendRecords(b)
			file, c, err := DecodeChunk(b, id, size)
			if err != nil {
				continue
			}
			if file.Length+file.Torn != int64(len(b)) {
				t.Fatalf("%+v of %d bytes", file, len(b))
			}
			checkAgain(t, file, c)
		}
	})
}

// checkAgain writes a chunk anew and reads the same entries.
func checkAgain(t *testing.T, file *ChunkFile, c *Chunk) {
	data, _, err := EncodeChunk(file.ID, file.ObjectSize, 1, c)
	if err != nil {
		return // an entry that only holds bits beyond a small object
	}
	_, again, err := DecodeChunk(data, file.ID, file.ObjectSize)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ChunkEntries {
		e := c.Get(i)
		if got := again.Get(i); got != e.Normalize(file.ObjectSize) {
			t.Fatalf("entry %d: %+v, was %+v", i, got, e)
		}
	}
}

// mendRecord gives the record at the start of b the CRC that it ought to have.
func mendRecord(b []byte, seed uint32, size int) {
	if len(b) >= size {
		binary.LittleEndian.PutUint32(b, crc32.Update(seed, castagnoli, b[4:size]))
	}
}

func mendRecords(b []byte) {
	n := int(binary.LittleEndian.Uint32(b[12:]))
	seed := binary.LittleEndian.Uint32(b[n-frameTrailer:])
	for b = b[n:]; len(b) >= RecordBytes; b = b[RecordBytes:] {
		mendRecord(b, seed, RecordBytes)
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{
		ObjectName(ObjectID{exampleUUID, 1025, 7, 1}), ChunkName(testChunkID), PageName(testChunkID),
		LockName(exampleUUID), TombstoneName(exampleUUID, 1), RecordName("v"), LeaseName("n"),
		GroupName(exampleUUID),
		PendingLogName(exampleUUID, exampleUUID), exampleText,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var made []string
		if id, err := ParseObjectName(s); err == nil {
			made = append(made, ObjectName(id))
		}
		if id, page, err := ParseChunkName(s); err == nil && page {
			made = append(made, PageName(id))
		} else if err == nil {
			made = append(made, ChunkName(id))
		}
		if u, err := ParseLockName(s); err == nil {
			made = append(made, LockName(u))
		}
		if u, epoch, err := ParseTombstoneName(s); err == nil {
			made = append(made, TombstoneName(u, epoch))
		}
		if id, err := ParseGroupName(s); err == nil {
			made = append(made, GroupName(id))
		}
		if name, err := ParseRecordName(s); err == nil {
			made = append(made, RecordName(name))
		}
		if node, err := ParseLeaseName(s); err == nil {
			made = append(made, LeaseName(node))
		}
		if a, b, err := ParsePendingLogName(s); err == nil {
			made = append(made, PendingLogName(a, b))
		}
		for _, m := range made {
			if m != s {
				t.Errorf("%q is also the name of %q", s, m)
			}
		}
	})
}
