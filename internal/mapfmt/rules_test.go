package mapfmt

import (
	"errors"
	"math/bits"
	"testing"

	"pgregory.net/rapid"
)

// source is what a sub-block is read from.
type source struct {
	level  Level // without its mask
	bottom Bottom
	key    [32]byte
}

func sourceOf(e *Entry, sub int) source {
	i := e.Find(sub)
	if i == AtBottom {
		return source{bottom: e.Bottom, key: e.Key}
	}
	l := e.Levels[i]
	l.Mask = 0
	return source{level: l}
}

// genWide draws an entry as it may be in an answer: four levels, overlapping masks, bits beyond.
func genWide(t *rapid.T) Entry {
	e := Entry{Bottom: Bottom(rapid.IntRange(0, 2).Draw(t, "bottom"))}
	if e.Bottom != BottomZero {
		e.Key[3] = 9
	}
	e.NumLevels = uint8(rapid.IntRange(0, MaxLevels+1).Draw(t, "levels"))
	masks := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 0xffff, 0xffff << 16, FullMask}))
	for i := range int(e.NumLevels) {
		e.Levels[i] = Level{UUID: UUID{byte(i + 1)}, Epoch: 1, Birth: uint64(i), Mask: masks.Draw(t, "mask")}
	}
	return e
}

func TestNormalize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, size := genWide(t), objectSizes.Draw(t, "object size")
		n := e.Normalize(size)
		for sub := range SubBlockCount(size) {
			if got, want := sourceOf(&n, sub), sourceOf(&e, sub); got != want {
				t.Fatalf("sub-block %d is read from %+v, was %+v", sub, got, want)
			}
		}
		if again := n.Normalize(size); again != n {
			t.Fatalf("not idempotent: %+v, then %+v", n, again)
		}
		if n.NumLevels > 0 && n.Levels[0].Mask == FullMask && !n.HasNothingBelow() {
			t.Fatalf("something below a complete level: %+v", n)
		}
		for i := 1; i < int(n.NumLevels); i++ {
			if n.Visible(size, i) == 0 {
				t.Fatalf("level %d is hidden whole: %+v", i, n)
			}
		}
		if (e.NumLevels == 0) != (n.NumLevels == 0) || e.NumLevels > 0 &&
			n.Levels[0].Birth != e.Levels[0].Birth {
			t.Fatalf("level 0 went: %+v", n)
		}
	})
}

func TestVisibleIsFind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, size := genWide(t), objectSizes.Draw(t, "object size")
		for level := AtBottom; level < int(e.NumLevels); level++ {
			var want uint64
			for sub := range SubBlockCount(size) {
				if e.Find(sub) == level {
					want |= 1 << sub
				}
			}
			if got := e.Visible(size, level); got != want {
				t.Fatalf("level %d: %#x, want %#x", level, got, want)
			}
		}
	})
}

func TestMergeChoice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, size := genWide(t), objectSizes.Draw(t, "object size")
		if e.NumLevels < 2 {
			return
		}
		level, mask := e.MergeChoice(size)
		if level < 1 || mask != e.Visible(size, level) {
			t.Fatalf("level %d with %#x", level, mask)
		}
		for i := 1; i < int(e.NumLevels); i++ {
			if bits.OnesCount64(e.Visible(size, i)) < bits.OnesCount64(mask) {
				t.Fatalf("level %d costs more than level %d", level, i)
			}
		}
		merged := e.WithoutLevel(level)
		merged.Levels[0].Mask |= mask
		for sub := range SubBlockCount(size) {
			want := sourceOf(&e, sub)
			if mask>>sub&1 != 0 {
				want = sourceOf(&Entry{NumLevels: 1, Levels: [4]Level{{UUID: e.Levels[0].UUID, Epoch: 1,
					Birth: e.Levels[0].Birth, Mask: FullMask}}}, sub)
			}
			if got := sourceOf(&merged, sub); got != want {
				t.Fatalf("sub-block %d is read from %+v, want %+v", sub, got, want)
			}
		}
	})
}

func TestMasks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := objectSizes.Draw(t, "object size")
		offset := rapid.Int64Range(0, size).Draw(t, "offset")
		length := rapid.Int64Range(0, size-offset).Draw(t, "length")
		if rapid.Bool().Draw(t, "aligned") {
			offset, length = offset&^4095, length&^4095
		}
		sub, n := SubBlockSize(size), SubBlockCount(size)
		var touched, covered uint64
		for i := range n {
			start, end := int64(i)*sub, int64(i+1)*sub
			if length > 0 && start < offset+length && offset < end {
				touched |= 1 << i
			}
			if length > 0 && offset <= start && end <= offset+length {
				covered |= 1 << i
			}
		}
		if bits.OnesCount64(touched) == n {
			touched = FullMask
		}
		if bits.OnesCount64(covered) == n {
			covered = FullMask
		}
		if got := TouchedMask(size, offset, length); got != touched {
			t.Errorf("TouchedMask(%d, %d, %d) = %#x, want %#x", size, offset, length, got, touched)
		}
		if got := CoveredMask(size, offset, length); got != covered {
			t.Errorf("CoveredMask(%d, %d, %d) = %#x, want %#x", size, offset, length, got, covered)
		}
	})
}

func TestGeometry(t *testing.T) {
	for _, c := range []struct {
		object, sub int64
		count       int
		real        uint64
	}{
		{64 << 10, 4 << 10, 16, 0xffff},
		{128 << 10, 4 << 10, 32, 0xffffffff},
		{256 << 10, 4 << 10, 64, FullMask},
		{4 << 20, 64 << 10, 64, FullMask},
		{64 << 20, 1 << 20, 64, FullMask},
	} {
		if s, n, m := SubBlockSize(c.object), SubBlockCount(c.object), RealMask(c.object); s != c.sub ||
			n != c.count || m != c.real {
			t.Errorf("objects of %d: %d sub-blocks of %d, %#x", c.object, n, s, m)
		}
	}
	for _, c := range []struct {
		size, object  int64
		chunks, table int64
		paged         bool
	}{
		{512, 4 << 20, 1, 1, false},
		{4 << 30, 4 << 20, 1, 1, false},
		{4<<30 + 512, 4 << 20, 2, 2, false},
		{16 << 40, 4 << 20, 4096, 4096, false},
		{16<<40 + 512, 4 << 20, 4097, 2, true},
		{MaxVolumeSize, 64 << 10, 1 << 24, 4096, true},
	} {
		if n, l, p := ChunkCount(c.size, c.object), TableLen(c.size, c.object), IsPaged(c.size, c.object); n != c.chunks ||
			int64(l) != c.table || p != c.paged {
			t.Errorf("%d bytes in objects of %d: %d chunks, table of %d, paged %v", c.size, c.object, n, l, p)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, n := range []int64{0, -1, 4096, 32 << 10, 128 << 20, 3 << 20, 4<<20 + 1} {
		if err := CheckObjectSize(n); !errors.Is(err, ErrArgument) {
			t.Errorf("object size %d: %v", n, err)
		}
	}
	for _, n := range []int64{0, -512, 511, 513, MaxVolumeSize + 512} {
		if err := CheckVolumeSize(n); !errors.Is(err, ErrArgument) {
			t.Errorf("volume size %d: %v", n, err)
		}
	}
}

func TestEntryCheck(t *testing.T) {
	level := Level{UUID: UUID{1}, Epoch: 1, Birth: 1, Mask: 1}
	other := Level{UUID: UUID{2}, Epoch: 1, Birth: 1, Mask: 1}
	for name, c := range map[string]struct {
		e              Entry
		stored, answer bool
	}{
		"zero":            {Entry{}, true, true},
		"own":             {Entry{NumLevels: 1, Levels: [4]Level{level}}, true, true},
		"reserved":        {Entry{NumLevels: 1, Levels: [4]Level{{UUID: UUID{1}}}}, false, true},
		"four":            {Entry{NumLevels: 4, Levels: [4]Level{level, other, {UUID{3}, 1, 1, 1}, {UUID{4}, 1, 1, 1}}}, false, true},
		"five":            {Entry{NumLevels: 5}, false, false},
		"many":            {Entry{NumLevels: 255}, false, false},
		"twice":           {Entry{NumLevels: 2, Levels: [4]Level{level, level}}, false, false},
		"no UUID":         {Entry{NumLevels: 1, Levels: [4]Level{{Mask: 1}}}, false, false},
		"beyond the last": {Entry{NumLevels: 1, Levels: [4]Level{level, other}}, false, false},
		"hashed":          {Entry{Bottom: BottomHashed, Key: [32]byte{1}}, true, true},
		"foreign":         {Entry{Bottom: BottomForeign, Key: ForeignKey(0, 0)}, true, true},
		"unknown bottom":  {Entry{Bottom: 3}, false, false},
		"stray key":       {Entry{Key: [32]byte{1}}, false, false},
	} {
		if err := c.e.Check(); (err == nil) != c.stored || err != nil && !errors.Is(err, ErrEntry) {
			t.Errorf("%s: Check: %v", name, err)
		}
		if err := c.e.CheckAnswer(); (err == nil) != c.answer || err != nil && !errors.Is(err, ErrEntry) {
			t.Errorf("%s: CheckAnswer: %v", name, err)
		}
	}
}

func TestEntryPredicates(t *testing.T) {
	e := Entry{NumLevels: 1, Levels: [4]Level{{UUID: UUID{1}, Epoch: 2, Birth: 3, Mask: 0b110}}}
	if !e.Covers(0b100) || e.Covers(0b1) || (&Entry{}).Covers(0) {
		t.Error("Covers")
	}
	if !e.IsOwn(UUID{1}, 2) || e.IsOwn(UUID{1}, 1) || e.IsOwn(UUID{2}, 2) || (&Entry{}).IsOwn(UUID{}, 0) {
		t.Error("IsOwn")
	}
	f := Entry{Bottom: BottomForeign, Key: ForeignKey(3, 1<<40)}
	if origin, index := f.Foreign(); origin != 3 || index != 1<<40 {
		t.Errorf("Foreign: %d, %d", origin, index)
	}
}

// TestCompleteMasks: complete is all ones, also where the object has fewer than 64 sub-blocks.
func TestCompleteMasks(t *testing.T) {
	for _, size := range []int64{64 << 10, 128 << 10, 256 << 10, 4 << 20} {
		if m := TouchedMask(size, 0, size); m != FullMask {
			t.Errorf("objects of %d touched whole: %#x", size, m)
		}
		if m := CoveredMask(size, 0, size); m != FullMask {
			t.Errorf("objects of %d covered whole: %#x", size, m)
		}
		e := Entry{NumLevels: 1, Levels: [4]Level{{UUID: UUID{1}, Mask: RealMask(size)}}, Bottom: BottomHashed}
		if n := e.Normalize(size); n.Levels[0].Mask != FullMask || n.Bottom != BottomZero {
			t.Errorf("objects of %d: %+v", size, n)
		}
		if m := TouchedMask(size, 0, 0) | CoveredMask(size, size, 0); m != 0 {
			t.Errorf("objects of %d: nothing touches %#x", size, m)
		}
	}
}
