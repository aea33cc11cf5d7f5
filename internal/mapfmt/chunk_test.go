package mapfmt

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestChunkMemory holds the in-memory form against a plain array.
func TestChunkMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Chunk
		var o oracle
		for range rapid.IntRange(0, 4).Draw(t, "rounds") {
			batch := genBatch(t, genUUIDs(t), 4<<20, 60)
			setAll(t, &c, batch)
			o.apply(batch)
			if i := o.differs(&c); i >= 0 {
				t.Fatalf("entry %d: got %+v, want %+v", i, c.Get(i%ChunkEntries), o[i%ChunkEntries])
			}
		}
	})
}

// TestChunkReusesRoom overwrites entries of the largest form again and again: what they leave must
// be used again, or a busy chunk would grow without end.
func TestChunkReusesRoom(t *testing.T) {
	var c Chunk
	for round := range 50 {
		for i := range 10 {
			e := largestEntry(UUID{1}, uint64(round))
			if err := c.Set(i, &e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(c.tails) != 10 || len(c.keys) != 10 {
		t.Errorf("10 entries take %d tails and %d keys", len(c.tails), len(c.keys))
	}
}

// TestChunkDictionaryOverflow stores more UUIDs, one after the other, than a reference can name.
func TestChunkDictionaryOverflow(t *testing.T) {
	var c Chunk
	keep := largestEntry(UUID{0xff}, 7)
	if err := c.Set(1, &keep); err != nil {
		t.Fatal(err)
	}
	for i := range maxRefs + 100 {
		e := Entry{NumLevels: 1}
		e.Levels[0] = Level{UUID: UUID{1, byte(i), byte(i >> 8), byte(i >> 16)}, Epoch: 1, Mask: 1}
		if err := c.Set(0, &e); err != nil {
			t.Fatal(err)
		}
		if c.Get(0) != e || c.Get(1) != keep {
			t.Fatalf("after %d UUIDs: %+v", i, c.Get(0))
		}
	}
}

// largestEntry has three levels and a bottom.
func largestEntry(u UUID, n uint64) Entry {
	e := Entry{Bottom: BottomHashed, NumLevels: 3, Key: [32]byte{1, 2, byte(n)}}
	for i := range 3 {
		e.Levels[i] = Level{UUID: u, Epoch: uint64(3 - i), Birth: n, Mask: 1 << i}
	}
	return e
}

// TestChunkFootprint: the map of a full volume of 1 TiB stays below 48 MiB, even if every entry is
// of the largest form; that of an idle one is next to nothing.
func TestChunkFootprint(t *testing.T) {
	const chunks, whole = 16, 256 // a part is measured: every chunk is of the same size
	for _, c := range []struct {
		name  string
		entry Entry
		limit int64
	}{
		{"zero", Entry{}, 1 << 20},
		{"own", Entry{NumLevels: 1, Levels: [4]Level{{UUID{1}, 1, 1, FullMask}}}, 12 << 20},
		{"largest", largestEntry(UUID{1}, 1), 48 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := heapInUse()
			all := make([]Chunk, chunks)
			for i := range all {
				for j := range ChunkEntries {
					if err := all[i].Set(j, &c.entry); err != nil {
						t.Fatal(err)
					}
				}
			}
			used := (heapInUse() - before) * (whole / chunks)
			runtime.KeepAlive(all)
			t.Logf("%d KiB", used>>10)
			if used > c.limit {
				t.Errorf("%d entries take %d bytes, more than %d", whole*ChunkEntries, used, c.limit)
			}
		})
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

var testChunkID = ChunkID{Owner: UUID{1, 2, 3}, Epoch: 7, No: 3}

// TestChunkFile writes a base and appends to it, and reads the same entries after each append.
func TestChunkFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pool, objectSize := genUUIDs(t), objectSizes.Draw(t, "object size")
		var c Chunk
		var o oracle
		batch := genBatch(t, pool, objectSize, 40)
		setAll(t, &c, batch)
		o.apply(batch)
		data, f := mustEncode(t, objectSize, &c)
		for range rapid.IntRange(0, 4).Draw(t, "appends") {
			batch := genBatch(t, append(f.uuids.list, testChunkID.Owner), objectSize, 10)
			var err error
			if data, err = f.AppendBytes(data, batch); err != nil {
				t.Fatal(err)
			}
			f.Advance(len(batch))
			o.apply(batch)
		}
		g, c2, err := DecodeChunk(data, testChunkID, objectSize)
		if err != nil {
			t.Fatal(err)
		}
		if i := o.differs(c2); i >= 0 {
			t.Fatalf("entry %d: got %+v, want %+v", i, c2.Get(i%ChunkEntries), o[i%ChunkEntries])
		}
		if g.Length != f.Length || g.Records != f.Records || g.Torn != 0 || g.Length != int64(len(data)) {
			t.Fatalf("read %+v, wrote %+v, %d bytes", g, f, len(data))
		}
	})
}

func mustEncode(t interface{ Fatal(...any) }, objectSize int64, c *Chunk) ([]byte, *ChunkFile) {
	data, f, err := EncodeChunk(testChunkID, objectSize, 0x1234, c)
	if err != nil {
		t.Fatal(err)
	}
	return data, f
}

// sampleChunk is a file with two entries in the base, and an append of one and one of three
// records. want[n] holds what is read when n records check.
func sampleChunk(t *testing.T) (data []byte, base int64, want []oracle) {
	var c Chunk
	var o oracle
	e := largestEntry(UUID{9}, 1)
	set := func(i int, e Entry) {
		o[i] = e
		if err := c.Set(i, &e); err != nil {
			t.Fatal(err)
		}
	}
	set(5, e)
	set(1023, Entry{NumLevels: 1, Levels: [4]Level{{testChunkID.Owner, 7, 1, FullMask}}})
	data, f := mustEncode(t, 4<<20, &c)
	base = f.Length
	want = append(want, o)
	for _, n := range []int{1, 3} {
		var batch []IndexedEntry
		for i := range n {
			x := IndexedEntry{6 + i, largestEntry(testChunkID.Owner, uint64(10*n+i))}
			batch = append(batch, x)
			o.apply(batch[i:])
			want = append(want, o)
		}
		var err error
		if data, err = f.AppendBytes(data, batch); err != nil {
			t.Fatal(err)
		}
		f.Advance(n)
	}
	return data, base, want
}

// TestChunkTorn cuts the file at every byte: within the base it is corrupt, within the records
// those before the cut are there, and the torn tail is reported.
func TestChunkTorn(t *testing.T) {
	data, base, want := sampleChunk(t)
	for cut := range data {
		f, c, err := DecodeChunk(data[:cut], testChunkID, 4<<20)
		if int64(cut) < base {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		n := (int64(cut) - base) / RecordBytes
		if err != nil || f.Records != uint32(n) || f.Length != base+n*RecordBytes ||
			f.Torn != int64(cut)-f.Length {
			t.Fatalf("cut at %d: %+v, %v", cut, f, err)
		}
		if i := want[n].differs(c); i >= 0 {
			t.Fatalf("cut at %d: entry %d", cut, i)
		}
	}
}

// TestChunkTornAnyOrder tears the last append in every combination of its records: none of them
// after a lost one counts, and it is no damage. A lost record before a later append is.
func TestChunkTornAnyOrder(t *testing.T) {
	data, base, want := sampleChunk(t)
	for lost := range 16 {
		torn := bytes.Clone(data)
		first := 4
		for i := 3; i >= 0; i-- {
			if lost>>i&1 != 0 {
				clear(torn[base+int64(i)*RecordBytes:][:RecordBytes])
				first = i
			}
		}
		f, c, err := DecodeChunk(torn, testChunkID, 4<<20)
		// Record 0 is of the first append. All of the second lost: it may never have been there.
		if first == 0 && lost != 15 {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("lost %04b: %v", lost, err)
			}
			continue
		}
		if err != nil || int(f.Records) != first || want[first].differs(c) >= 0 {
			t.Errorf("lost %04b: %+v, %v", lost, f, err)
		}
	}
}

// TestChunkBitFlips flips every bit: in the base it is corrupt; in a record, that record and those
// after it don't count, or, where a later append proves that it was durable, it is corrupt.
func TestChunkBitFlips(t *testing.T) {
	data, base, want := sampleChunk(t)
	for i := range data {
		for bit := range 8 {
			data[i] ^= 1 << bit
			f, c, err := DecodeChunk(data, testChunkID, 4<<20)
			data[i] ^= 1 << bit
			n := (int64(i) - base) / RecordBytes
			if int64(i) < base || n == 0 {
				if !errors.Is(err, ErrCorrupt) {
					t.Fatalf("bit %d of byte %d: %v", bit, i, err)
				}
				continue
			}
			if err != nil || int64(f.Records) != n || want[n].differs(c) >= 0 {
				t.Fatalf("bit %d of byte %d: %+v, %v", bit, i, f, err)
			}
		}
	}
}

// TestChunkStaleRecords puts records of another base where the next ones would follow: they must
// not check, whatever differs between the two.
func TestChunkStaleRecords(t *testing.T) {
	others := map[string]struct {
		id   ChunkID
		salt uint64
	}{
		"number": {ChunkID{testChunkID.Owner, 7, 4}, 1},
		"epoch":  {ChunkID{testChunkID.Owner, 8, 3}, 1},
		"owner":  {ChunkID{UUID{1, 2, 4}, 7, 3}, 1},
		"salt":   {testChunkID, 2},
	}
	batch := []IndexedEntry{{1, largestEntry(testChunkID.Owner, 1)}}
	_, mine, err := EncodeChunk(testChunkID, 4<<20, 1, &Chunk{})
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range others {
		data, _, err := EncodeChunk(o.id, 4<<20, o.salt, &Chunk{})
		if err != nil {
			t.Fatal(err)
		}
		mine := *mine
		mine.uuids = dictionary{list: []UUID{testChunkID.Owner}}
		data, err = mine.AppendBytes(data, batch)
		if err != nil {
			t.Fatal(err)
		}
		if f, _, err := DecodeChunk(data, o.id, 4<<20); err != nil || f.Records != 0 {
			t.Errorf("other %s: %+v, %v", name, f, err)
		}
	}
}

func TestChunkDictionary(t *testing.T) {
	data, f := mustEncode(t, 4<<20, &Chunk{})
	batch := []IndexedEntry{{1, largestEntry(UUID{0x77}, 1)}}
	if _, err := f.AppendBytes(nil, batch); !errors.Is(err, ErrDictionary) {
		t.Errorf("foreign UUID: %v", err)
	}
	batch[0].Entry = largestEntry(testChunkID.Owner, 1)
	if _, err := f.AppendBytes(nil, batch); err != nil {
		t.Errorf("the owner's UUID: %v", err)
	}
	f.Torn = 1
	if _, err := f.AppendBytes(data, batch); !errors.Is(err, ErrArgument) {
		t.Errorf("append to a torn tail: %v", err)
	}
	f.Torn, f.Records = 0, 1<<32-1
	if _, err := f.AppendBytes(data, batch); !errors.Is(err, ErrFull) {
		t.Errorf("numbers run out: %v", err)
	}
}

// TestChunkOther: a whole chunk under another name, or of other objects, is not used.
func TestChunkOther(t *testing.T) {
	data, _ := mustEncode(t, 4<<20, &Chunk{})
	other := testChunkID
	other.No++
	if _, _, err := DecodeChunk(data, other, 4<<20); !errors.Is(err, ErrCorrupt) {
		t.Errorf("other number: %v", err)
	}
	if _, _, err := DecodeChunk(data, testChunkID, 2<<20); !errors.Is(err, ErrCorrupt) {
		t.Errorf("other object size: %v", err)
	}
	if id, size, err := IdentifyChunk(data); err != nil || id != testChunkID || size != 4<<20 {
		t.Errorf("IdentifyChunk: %+v, %d, %v", id, size, err)
	}
}

func BenchmarkChunk(b *testing.B) {
	for name, e := range map[string]Entry{
		"own":     {NumLevels: 1, Levels: [4]Level{{testChunkID.Owner, 7, 1, FullMask}}},
		"largest": largestEntry(testChunkID.Owner, 1),
	} {
		var c Chunk
		for i := range ChunkEntries {
			if err := c.Set(i, &e); err != nil {
				b.Fatal(err)
			}
		}
		data, _, err := EncodeChunk(testChunkID, 4<<20, 1, &c)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("encode/%s", name), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			start := cpuTime(b)
			for b.Loop() {
				EncodeChunk(testChunkID, 4<<20, 1, &c)
			}
			reportCPU(b, len(data), start)
		})
		b.Run(fmt.Sprintf("decode/%s", name), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			start := cpuTime(b)
			for b.Loop() {
				DecodeChunk(data, testChunkID, 4<<20)
			}
			reportCPU(b, len(data), start)
		})
	}
}

// TestChunkClone: neither side sees what is set in the other.
func TestChunkClone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Chunk
		var o oracle
		first := genBatch(t, genUUIDs(t), 4<<20, 30)
		setAll(t, &c, first)
		o.apply(first)
		n, p := c.Clone(), o
		second, third := genBatch(t, genUUIDs(t), 4<<20, 30), genBatch(t, genUUIDs(t), 4<<20, 30)
		setAll(t, n, second)
		p.apply(second)
		setAll(t, &c, third)
		o.apply(third)
		if i, j := o.differs(&c), p.differs(n); i >= 0 || j >= 0 {
			t.Fatalf("differ at %d and %d", i, j)
		}
	})
}

// TestChunkBeyondObject: a mask of nothing but bits that a small object doesn't have is refused,
// since nothing would be left of it.
func TestChunkBeyondObject(t *testing.T) {
	e := Entry{NumLevels: 1, Levels: [4]Level{{testChunkID.Owner, 7, 1, 1 << 20}}}
	var c Chunk
	if err := c.Set(0, &e); err != nil {
		t.Fatal(err)
	}
	if _, _, err := EncodeChunk(testChunkID, 64<<10, 1, &c); !errors.Is(err, ErrEntry) {
		t.Errorf("base: %v", err)
	}
	_, f := mustEncode(t, 64<<10, &Chunk{})
	if _, err := f.AppendBytes(nil, []IndexedEntry{{0, e}}); !errors.Is(err, ErrEntry) {
		t.Errorf("append: %v", err)
	}
	if _, err := f.AppendBytes(nil, []IndexedEntry{{ChunkEntries, Entry{}}}); !errors.Is(err, ErrArgument) {
		t.Errorf("append beyond the chunk: %v", err)
	}
}

// TestChunkRecordsMisplaced: a record that checks, but not with the number that its place has, or
// as part of an append that it can't belong to, doesn't follow.
func TestChunkRecordsMisplaced(t *testing.T) {
	data, base, want := sampleChunk(t)
	at := func(b []byte, i int64) []byte { return b[base+i*RecordBytes:][:RecordBytes] }

	swapped := bytes.Clone(data)
	copy(at(swapped, 2), at(data, 3))
	copy(at(swapped, 3), at(data, 2))
	f, c, err := DecodeChunk(swapped, testChunkID, 4<<20)
	if err != nil || f.Records != 2 || want[2].differs(c) >= 0 {
		t.Errorf("two records swapped: %+v, %v", f, err)
	}

	// Record 3 as it would be if record 2 had begun no append.
	g, _, err := DecodeChunk(data[:base], testChunkID, 4<<20)
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]IndexedEntry, 3)
	for i := range batch {
		batch[i] = IndexedEntry{i, largestEntry(testChunkID.Owner, uint64(i))}
	}
	one, err := g.AppendBytes(nil, batch)
	if err != nil {
		t.Fatal(err)
	}
	foreign := bytes.Clone(data)
	copy(at(foreign, 2), one[2*RecordBytes:])
	if f, _, err := DecodeChunk(foreign, testChunkID, 4<<20); err != nil || f.Records != 2 {
		t.Errorf("record of another append: %+v, %v", f, err)
	}
}

// TestChunkBaseOrder: entries of a base are in order, and none is there twice.
func TestChunkBaseOrder(t *testing.T) {
	var c Chunk
	for i := range 3 {
		e := Entry{NumLevels: 1, Levels: [4]Level{{testChunkID.Owner, 7, uint64(i), 1}}}
		if err := c.Set(i, &e); err != nil {
			t.Fatal(err)
		}
	}
	data, _ := mustEncode(t, 4<<20, &c)
	second := chunkHeader + 16 + baseEntryHeader + baseLevelBytes
	for index, good := range map[byte]bool{0: false, 1: true, 2: false} {
		data[second] = index
		_, _, err := DecodeChunk(reframe(data, len(data)), testChunkID, 4<<20)
		if (err == nil) != good || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("second entry has index %d: %v", index, err)
		}
	}
}

// TestChunkBaseEntry: an entry of a base that its CRC vouches for is checked all the same, whatever
// stands before it; and one that isn't plain between plain ones is read as it is.
func TestChunkBaseEntry(t *testing.T) {
	var c Chunk
	for i := range 4 {
		e := Entry{NumLevels: 1, Levels: [4]Level{{testChunkID.Owner, 7, uint64(i), 1}}}
		if i == 2 {
			e.Bottom, e.Key = BottomHashed, [32]byte{7}
		}
		if err := c.Set(i, &e); err != nil {
			t.Fatal(err)
		}
	}
	good, _ := mustEncode(t, 4<<20, &c)
	_, got, err := DecodeChunk(good, testChunkID, 4<<20)
	if err != nil || got.Len() != 4 || got.Get(2) != c.Get(2) || got.Get(3) != c.Get(3) {
		t.Fatalf("%v, %+v", err, got)
	}
	const uuid, first = chunkHeader, chunkHeader + 16
	for name, damage := range map[string]func(b []byte){
		"empty mask":      func(b []byte) { clear(b[first+22 : first+30]) },
		"no such UUID":    func(b []byte) { b[first+4] = 1 },
		"UUID of nothing": func(b []byte) { clear(b[uuid : uuid+16]) },
		"four levels":     func(b []byte) { b[first+3] = 4 },
		"neither":         func(b []byte) { b[first+3] = 0 },
		"last, no mask":   func(b []byte) { at := first + 3*30 + 32; clear(b[at+22 : at+30]) },
	} {
		b := slices.Clone(good)
		damage(b)
		if _, _, err := DecodeChunk(reframe(b, len(b)), testChunkID, 4<<20); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// cpuTime is what the process has used: on a busy machine the clock says little.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportCPU(b *testing.B, size int, start time.Duration) {
	used := cpuTime(b) - start
	b.ReportMetric(float64(size)*float64(b.N)/used.Seconds()/1e6, "MB/s-of-CPU")
}
