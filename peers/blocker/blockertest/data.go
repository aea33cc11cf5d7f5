package blockertest

import (
	"bytes"
	"fmt"
	"testing"

	"archipelago/peers/blocker"
)

const kib = 1 << 10

func testRead(t *testing.T, f *fixture) {
	f.fails(blocker.ErrNotFound, &blocker.Op{Kind: blocker.Read, Name: "a/b/1", Data: make([]byte, 10)})
	f.missing("a/b/1")
	data := pattern(1, 10000)
	f.write("a/b/1", 0, data)
	if got := f.read("a/b/1", 777, 5000); !bytes.Equal(got, data[777:5777]) {
		t.Error("a part of the object is not what was written")
	}
	got := f.read("a/b/1", 9990, 100)
	if !bytes.Equal(got, append(bytes.Clone(data[9990:]), make([]byte, 90)...)) {
		t.Error("across the end: not the rest and zeros")
	}
	if got := f.read("a/b/1", 1<<20, 64); !bytes.Equal(got, make([]byte, 64)) {
		t.Error("past the end: not zeros")
	}
	f.read("a/b/1", 5, 0)
	f.holds("a/b/1", data)
}

func testWrite(_ *testing.T, f *fixture) {
	want := make([]byte, 20000)
	put := func(off int, data []byte) {
		f.write("w/x", int64(off), data)
		copy(want[off:], data)
	}
	put(15000, pattern(1, 5000)) // leaves a hole before it
	f.holds("w/x", want)
	put(3, pattern(2, 9000))
	put(8000, pattern(3, 8000))
	f.holds("w/x", want)
	f.must(&blocker.Op{Kind: blocker.Write, Name: "w/x", Offset: 4096, Data: pattern(4, 4096), Flags: blocker.FlagFUA})
	copy(want[4096:], pattern(4, 4096))
	f.holds("w/x", want)
	f.write("w/empty", 0, nil)
	f.holds("w/empty", nil)
}

func testWriteSizes(t *testing.T, f *fixture) {
	for i, n := range []int{1, 511, 4096, 64 * kib, 64*kib + 1, 1 << 20, 4 << 20} {
		name := "sizes/" + string(rune('a'+i))
		data := pattern(uint64(n), n)
		f.write(name, 0, data)
		f.holds(name, data)
		if got := f.read(name, 0, n); !bytes.Equal(got, data) {
			t.Errorf("%d bytes: not what was written", n)
		}
	}
}

// testKeepsNothing changes what belongs to the submitter again once Done has begun.
func testKeepsNothing(_ *testing.T, f *fixture) {
	for i, kind := range []blocker.Kind{blocker.Write, blocker.Create, blocker.Replace} {
		name := []byte("keep/" + string(rune('a'+i)))
		want := string(bytes.Clone(name))
		data := pattern(1, 5000)
		f.must(&blocker.Op{Kind: kind, Name: shared(name), Data: data})
		copy(name, "keep/z") // the op's Name with it
		clear(data)
		f.missing("keep/z")
		f.write(want, 5000, []byte{7}) // by way of a cache, if there is one
		f.must(&blocker.Op{Kind: blocker.Sync, Name: want})
		f.holds(want, append(pattern(1, 5000), 7))
	}
	f.must(&blocker.Op{Kind: blocker.Sync})
}

func testWriteZeroes(_ *testing.T, f *fixture) {
	zero := func(name string, off, n int64) {
		f.Helper()
		f.must(&blocker.Op{Kind: blocker.WriteZeroes, Name: name, Offset: off, Length: n})
	}
	zero("z/new", 0, 10000)
	f.holds("z/new", make([]byte, 10000))
	zero("z/new", 8000, 10000) // grows
	f.holds("z/new", make([]byte, 18000))

	want := pattern(1, 200*kib)
	f.write("z/old", 0, want)
	for _, r := range [][2]int64{{0, 4096}, {5000, 10}, {10001, 100001}, {131072, 65536}, {204000, 800}} {
		zero("z/old", r[0], r[1])
		clear(want[r[0] : r[0]+r[1]])
		f.holds("z/old", want)
	}
	zero("z/old", 200*kib-100, 5000) // across the end
	clear(want[200*kib-100:])
	f.holds("z/old", append(want, make([]byte, 4900)...))
	zero("z/old", 7, 0)
	f.must(&blocker.Op{Kind: blocker.WriteZeroes, Name: "z/fua", Length: 1 << 20, Flags: blocker.FlagFUA})
	f.holds("z/fua", make([]byte, 1<<20))
}

func testDiscard(_ *testing.T, f *fixture) {
	f.must(&blocker.Op{Kind: blocker.Discard, Name: "d/none", Offset: 5, Length: 4096})
	f.missing("d/none")
	want := pattern(1, 100*kib)
	f.write("d/x", 0, want)
	for _, r := range [][2]int64{{4096, 8192}, {20001, 30003}, {90 * kib, 10 * kib}} {
		f.must(&blocker.Op{Kind: blocker.Discard, Name: "d/x", Offset: r[0], Length: r[1]})
		clear(want[r[0] : r[0]+r[1]])
		f.holds("d/x", want)
	}
	f.must(&blocker.Op{Kind: blocker.Discard, Name: "d/x", Offset: 99 * kib, Length: 1 << 20})
	f.must(&blocker.Op{Kind: blocker.Discard, Name: "d/x", Offset: 1 << 20, Length: 1 << 20})
	f.holds("d/x", want) // never longer
}

func testSpace(t *testing.T, f *fixture) {
	f.write("s/x", 0, pattern(1, 1<<20))
	f.must(&blocker.Op{Kind: blocker.Sync, Name: "s/x"})
	allocated := func() int64 { return f.must(&blocker.Op{Kind: blocker.Stat, Name: "s/x"}).Allocated }
	full := allocated()
	if full < 1<<20 {
		t.Errorf("1 MiB is allocated as %d bytes", full)
	}
	f.must(&blocker.Op{Kind: blocker.Discard, Name: "s/x", Length: 512 * kib})
	half := allocated()
	if half > full-512*kib {
		t.Errorf("discard of 512 KiB: %d bytes allocated before, %d after", full, half)
	}
	f.must(&blocker.Op{Kind: blocker.WriteZeroes, Name: "s/x", Offset: 512 * kib, Length: 512 * kib})
	if n := allocated(); n > half-512*kib {
		t.Errorf("zeroes over 512 KiB: %d bytes allocated before, %d after", half, n)
	}
}

func testCopy(_ *testing.T, f *fixture) {
	src := pattern(1, 300*kib)
	f.write("c/src", 0, src)
	cp := func(dst string, to, from, n int64) {
		f.Helper()
		f.must(&blocker.Op{Kind: blocker.Copy, Name: dst, Offset: to, Source: "c/src", SourceOffset: from, Length: n})
	}
	cp("c/new", 0, 0, 300*kib)
	f.holds("c/new", src)
	cp("c/part", 1000, 64*kib, 64*kib)
	f.holds("c/part", append(make([]byte, 1000), src[64*kib:128*kib]...))
	cp("c/part", 0, 299*kib, 2*kib) // past the source's end: zeros
	want := append(make([]byte, 1000), src[64*kib:128*kib]...)
	copy(want, src[299*kib:])
	clear(want[kib : 2*kib])
	f.holds("c/part", want)
	cp("c/past", 0, 1<<20, 5000) // grows with zeros alone
	f.holds("c/past", make([]byte, 5000))
	cp("c/nothing", 0, 0, 0)
	f.fails(blocker.ErrNotFound, &blocker.Op{Kind: blocker.Copy, Name: "c/y", Source: "c/none", Length: 1})
	f.must(&blocker.Op{Kind: blocker.Copy, Name: "c/fua", Source: "c/src", Length: 5000, Flags: blocker.FlagFUA})
	f.holds("c/fua", src[:5000])
	f.holds("c/src", src)
}

func testCopyHoles(t *testing.T, f *fixture) {
	src := make([]byte, 1<<20)
	copy(src[256*kib:], pattern(1, 10000))
	copy(src[1<<20-100:], pattern(2, 100))
	f.write("h/src", 256*kib, pattern(1, 10000))
	f.write("h/src", 1<<20-100, pattern(2, 100))
	f.write("h/dst", 0, pattern(3, 1<<20))
	f.must(&blocker.Op{Kind: blocker.Copy, Name: "h/dst", Source: "h/src", Length: 1 << 20})
	f.holds("h/dst", src)
	f.must(&blocker.Op{Kind: blocker.Sync})
	n := f.must(&blocker.Op{Kind: blocker.Stat, Name: "h/dst"}).Allocated
	if n > 512*kib {
		t.Errorf("a copy of holes takes %d bytes", n)
	}
}

func testFill(t *testing.T, f *fixture) {
	src := pattern(1, 300*kib)
	f.write("f/src", 0, src)
	fill := func(dst string, from, n, at int64, data []byte) {
		f.Helper()
		op := f.must(&blocker.Op{Kind: blocker.Fill, Name: dst, Offset: at, Data: bytes.Clone(data),
			Source: "f/src", SourceOffset: from, Length: n})
		if op.N != int64(len(data)) {
			t.Errorf("%s: N is %d", describe(op), op.N)
		}
	}
	data := pattern(2, 5000)
	for i, c := range []struct{ from, n, at int64 }{
		{0, 64 * kib, 3 * kib},           // what a store may do at once
		{64 * kib, 64 * kib, 64 * kib},   // nothing before the data
		{0, 5000, 0},                     // nothing around it
		{1000, 20000, 16000},             // nothing behind it, and no whole blocks
		{4096, 280 * kib, 100 * kib},     // long
		{290 * kib, 20 * kib, 295 * kib}, // past the source's end: zeros
		{310 * kib, 10 * kib, 311 * kib},
	} {
		name := fmt.Sprintf("f/%d", i)
		f.write(name, 0, pattern(3, 400*kib))
		want := append(src[:300*kib:300*kib], make([]byte, 100*kib)...)
		copy(want[c.at:], data)
		want = append(append(pattern(3, 400*kib)[:c.from], want[c.from:c.from+c.n]...), pattern(3, 400*kib)[c.from+c.n:]...)
		for range 2 { // the second time everything is in memory
			fill(name, c.from, c.n, c.at, data)
			f.holds(name, want)
		}
	}
	fill("f/none", 0, 0, 0, nil)
	fill("f/new", 8192, 8192, 8192, data)
	f.holds("f/new", append(append(make([]byte, 8192), data...), src[8192+5000:16384]...))
	f.fails(blocker.ErrNotFound, &blocker.Op{Kind: blocker.Fill, Name: "f/y", Data: data, Source: "f/x", Length: 9000})
	f.missing("f/y")
	f.must(&blocker.Op{Kind: blocker.Fill, Name: "f/fua", Data: data, Source: "f/src", Length: 9000, Flags: blocker.FlagFUA})
	f.holds("f/fua", append(bytes.Clone(data), src[5000:9000]...))
	f.holds("f/src", src)
}

func testFillHoles(t *testing.T, f *fixture) {
	f.write("fh/src", 1<<20-100, pattern(2, 100))
	f.write("fh/dst", 0, pattern(3, 1<<20))
	f.must(&blocker.Op{Kind: blocker.Fill, Name: "fh/dst", Offset: 256 * kib, Data: pattern(1, 10000), Source: "fh/src", Length: 1 << 20})
	want := make([]byte, 1<<20)
	copy(want[256*kib:], pattern(1, 10000))
	copy(want[1<<20-100:], pattern(2, 100))
	f.holds("fh/dst", want)
	f.must(&blocker.Op{Kind: blocker.Sync})
	n := f.must(&blocker.Op{Kind: blocker.Stat, Name: "fh/dst"}).Allocated
	if n > 512*kib {
		t.Errorf("a fill around holes takes %d bytes", n)
	}
}

func testStat(_ *testing.T, f *fixture) {
	f.missing("st/x")
	f.write("st/x", 10, []byte{1})
	f.size("st/x")
	f.holds("st/x", append(make([]byte, 10), 1))
}

func testSync(_ *testing.T, f *fixture) {
	f.must(&blocker.Op{Kind: blocker.Sync})
	f.must(&blocker.Op{Kind: blocker.Sync, Name: "sync/none"})
	f.write("sync/a", 0, pattern(1, 5000))
	f.must(&blocker.Op{Kind: blocker.Sync})
	f.write("sync/a", 100, pattern(2, 100))
	f.write("sync/b", 0, pattern(3, 100))
	f.must(&blocker.Op{Kind: blocker.Sync, Name: "sync/b"})
	f.must(&blocker.Op{Kind: blocker.Sync, Volume: blocker.UUID{9}})
	f.must(&blocker.Op{Kind: blocker.Delete, Name: "sync/a"})
	f.must(&blocker.Op{Kind: blocker.Sync})
	f.must(&blocker.Op{Kind: blocker.Sync})
}
