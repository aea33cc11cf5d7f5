package blockertest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"archipelago/peers/blocker"
)

func testCreate(t *testing.T, f *fixture) {
	data := pattern(1, 10000)
	if op := f.must(&blocker.Op{Kind: blocker.Create, Name: "cr/x", Data: data}); op.N != 10000 {
		t.Errorf("N = %d", op.N)
	}
	f.holds("cr/x", data)
	f.fails(blocker.ErrExists, &blocker.Op{Kind: blocker.Create, Name: "cr/x", Data: pattern(2, 10)})
	f.holds("cr/x", data)
	f.must(&blocker.Op{Kind: blocker.Create, Name: "cr/empty"})
	f.holds("cr/empty", nil)
	f.write("cr/w", 0, data)
	f.fails(blocker.ErrExists, &blocker.Op{Kind: blocker.Create, Name: "cr/w"})
	big := pattern(3, blocker.MaxAtomic)
	f.must(&blocker.Op{Kind: blocker.Create, Name: "cr/big", Data: big})
	f.holds("cr/big", big)
}

func testCreateRace(t *testing.T, f *fixture) {
	for round := range 10 {
		name := fmt.Sprintf("race/%d", round)
		var won atomic.Int32
		winner := make([]byte, 0)
		var mu sync.Mutex
		parallel(4, func(i int) {
			data := pattern(uint64(i), 5000)
			op := f.do(&blocker.Op{Kind: blocker.Create, Name: name, Data: data})
			switch {
			case op.Err == nil:
				won.Add(1)
				mu.Lock()
				winner = data
				mu.Unlock()
			case !errors.Is(op.Err, blocker.ErrExists):
				t.Error(op.Err)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d have created %s", won.Load(), name)
		}
		f.holds(name, winner)
	}
}

// testCreateWhole reads while an object appears: it is not there, or there whole.
func testCreateWhole(t *testing.T, f *fixture) {
	data := pattern(1, 256*kib)
	for round := range 10 {
		name := fmt.Sprintf("whole/%d", round)
		var made atomic.Bool
		parallel(3, func(i int) {
			if i == 0 {
				f.must(&blocker.Op{Kind: blocker.Create, Name: name, Data: data})
				made.Store(true)
				return
			}
			for done := false; !done; {
				done = made.Load()
				got := make([]byte, len(data))
				op := f.do(&blocker.Op{Kind: blocker.Read, Name: name, Data: got})
				if errors.Is(op.Err, blocker.ErrNotFound) && !done {
					continue
				}
				if op.Err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s: half an object, or none (%v)", name, op.Err)
					return
				}
			}
		})
	}
}

func testReplace(t *testing.T, f *fixture) {
	for i, n := range []int{5000, 100, 0, 70000, 4 << 20, 17} {
		data := pattern(uint64(i), n)
		if op := f.must(&blocker.Op{Kind: blocker.Replace, Name: "re/x", Data: data}); op.N != int64(n) {
			t.Errorf("N = %d", op.N)
		}
		f.holds("re/x", data)
	}
	f.write("re/x", 17, []byte{1, 2, 3})
	f.holds("re/x", append(pattern(5, 17), 1, 2, 3))
	f.must(&blocker.Op{Kind: blocker.Sync})
}

func testReplaceAtomic(t *testing.T, f *fixture) {
	const size = 100 * kib
	content := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, size) }
	f.must(&blocker.Op{Kind: blocker.Replace, Name: "at/x", Data: content(1)})
	var done atomic.Bool
	parallel(3, func(i int) {
		if i == 0 {
			for n := range 20 {
				f.must(&blocker.Op{Kind: blocker.Replace, Name: "at/x", Data: content(2 + n)})
			}
			done.Store(true)
			return
		}
		for last := byte(1); !done.Load(); {
			got := f.read("at/x", 0, size)
			if !bytes.Equal(got, content(int(got[0]))) || got[0] < last {
				t.Errorf("read %d ... %d after %d", got[0], got[size-1], last)
				return
			}
			last = got[0]
		}
	})
	f.holds("at/x", content(21))
}

func testAppend(t *testing.T, f *fixture) {
	f.fails(blocker.ErrNotFound, &blocker.Op{Kind: blocker.Append, Name: "ap/x", Data: []byte{1}})
	f.missing("ap/x")
	want := pattern(1, 1000)
	f.must(&blocker.Op{Kind: blocker.Create, Name: "ap/x", Data: want})
	for i := range 20 {
		data := pattern(uint64(i), 1+i*700)
		for _, off := range []int{0, len(want) - 1, len(want) + 1} {
			op := f.fails(blocker.ErrConflict, &blocker.Op{Kind: blocker.Append, Name: "ap/x", Offset: int64(off), Data: data})
			if op.N != int64(len(want)) {
				t.Errorf("conflict: N = %d, the size is %d", op.N, len(want))
			}
		}
		op := f.must(&blocker.Op{Kind: blocker.Append, Name: "ap/x", Offset: int64(len(want)), Data: data})
		if op.N != int64(len(data)) {
			t.Errorf("N = %d", op.N)
		}
		want = append(want, data...)
	}
	f.must(&blocker.Op{Kind: blocker.Sync, Name: "ap/x"})
	f.holds("ap/x", want)
}

// testAppendRace appends from many sides: each appends once for sure, and nothing is lost or mixed.
func testAppendRace(t *testing.T, f *fixture) {
	const writers, each, size = 4, 20, 128
	f.must(&blocker.Op{Kind: blocker.Create, Name: "ap/race"})
	parallel(writers, func(i int) {
		for n := range each {
			record := bytes.Repeat([]byte{byte(1 + i*each + n)}, size)
			for off := int64(0); ; {
				op := f.do(&blocker.Op{Kind: blocker.Append, Name: "ap/race", Offset: off, Data: record})
				if op.Err == nil {
					break
				}
				if !errors.Is(op.Err, blocker.ErrConflict) {
					t.Error(op.Err)
					return
				}
				off = op.N
			}
		}
	})
	data := f.read("ap/race", 0, writers*each*size)
	seen := map[byte]bool{}
	for i := 0; i < len(data); i += size {
		r := data[i : i+size]
		if r[0] == 0 || seen[r[0]] || !bytes.Equal(r, bytes.Repeat(r[:1], size)) {
			t.Fatalf("record %d is torn, missing or double", i/size)
		}
		seen[r[0]] = true
	}
}

func testTruncate(t *testing.T, f *fixture) {
	f.fails(blocker.ErrNotFound, &blocker.Op{Kind: blocker.TruncateTail, Name: "tr/x", Offset: 1})
	data := pattern(1, 10000)
	f.write("tr/x", 0, data)
	f.must(&blocker.Op{Kind: blocker.TruncateTail, Name: "tr/x", Offset: 20000})
	f.holds("tr/x", data)
	f.must(&blocker.Op{Kind: blocker.TruncateTail, Name: "tr/x", Offset: 5001})
	f.holds("tr/x", data[:5001])
	f.must(&blocker.Op{Kind: blocker.Append, Name: "tr/x", Offset: 5001, Data: []byte{9}})
	f.write("tr/x", 6000, []byte{8}) // what was cut off must not come back
	want := make([]byte, 6001)
	copy(want, data[:5001])
	want[5001], want[6000] = 9, 8
	f.holds("tr/x", want)
	f.must(&blocker.Op{Kind: blocker.TruncateTail, Name: "tr/x"})
	f.holds("tr/x", nil)
}

func testDelete(t *testing.T, f *fixture) {
	f.fails(blocker.ErrNotFound, &blocker.Op{Kind: blocker.Delete, Name: "de/x"})
	for _, flags := range []blocker.Flags{0, blocker.FlagFUA} {
		f.write("de/x", 0, pattern(1, 5000))
		f.must(&blocker.Op{Kind: blocker.Delete, Name: "de/x", Flags: flags})
		f.missing("de/x")
		f.fails(blocker.ErrNotFound, &blocker.Op{Kind: blocker.Read, Name: "de/x", Data: make([]byte, 1)})
		f.fails(blocker.ErrNotFound, &blocker.Op{Kind: blocker.Delete, Name: "de/x", Flags: flags})
		f.must(&blocker.Op{Kind: blocker.Create, Name: "de/x", Data: []byte{5}})
		f.holds("de/x", []byte{5})
		f.must(&blocker.Op{Kind: blocker.Delete, Name: "de/x", Flags: flags})
	}
	f.write("de/y", 3, []byte{1}) // nothing of an earlier life is left
	f.holds("de/y", []byte{0, 0, 0, 1})
	if names := f.names(""); len(names) != 1 {
		t.Errorf("names left: %q", names)
	}
}

// testDeleteRace deletes the only object of a directory while others write to it and beside it: an
// emptied directory that a store takes away must not get into a writer's way.
func testDeleteRace(t *testing.T, f *fixture) {
	const uuid = "0b5c1d7e-1111-2222-3333-444455556666"
	parallel(4, func(i int) {
		name := fmt.Sprintf("%s/7/%d", uuid, i)
		for n := range 20 {
			data := []byte{byte(n), byte(i)}
			f.write(name, 0, data)
			if got := f.read(name, 0, 2); !bytes.Equal(got, data) {
				t.Errorf("%s: read %v after %v", name, got, data)
			}
			f.must(&blocker.Op{Kind: blocker.Sync, Name: name})
			f.must(&blocker.Op{Kind: blocker.Delete, Name: name, Flags: blocker.Flags(n % 2)})
		}
	})
	if names := f.names(""); len(names) != 0 {
		t.Errorf("names left: %q", names)
	}
}

// parallel runs f(0) ... f(n-1) at once.
func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
