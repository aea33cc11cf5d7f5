package mapperd

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

var owner = mapfmt.Owner{UUID: mapfmt.UUID{1}, Epoch: 5}

func level(uuid byte, epoch, birth, mask uint64) mapfmt.Level {
	return mapfmt.Level{UUID: mapfmt.UUID{uuid}, Epoch: epoch, Birth: birth, Mask: mask}
}

func entryOf(bottom mapfmt.Bottom, levels ...mapfmt.Level) mapfmt.Entry {
	e := mapfmt.Entry{Bottom: bottom, NumLevels: uint8(len(levels))}
	if bottom != mapfmt.BottomZero {
		e.Key[0] = 1
	}
	copy(e.Levels[:], levels)
	return e
}

func TestMerge(t *testing.T) {
	const zero, hashed, full = mapfmt.BottomZero, mapfmt.BottomHashed, mapfmt.FullMask
	parent, middle := level(2, 1, 7, 0xf0), level(1, 4, 8, 0x3)
	for _, c := range []struct {
		name             string
		present, offered mapfmt.Entry
		want             mapfmt.Entry
		err              error
	}{
		{"first of a blank object", entryOf(zero), entryOf(zero, level(1, 5, 9, full)),
			entryOf(zero, level(1, 5, 9, full)), nil},
		{"first of a clone's object", entryOf(zero, parent), entryOf(zero, level(1, 5, 9, 1), parent),
			entryOf(zero, level(1, 5, 9, 1), parent), nil},
		{"bits are ORed", entryOf(zero, level(1, 5, 9, 2), parent), entryOf(zero, level(1, 5, 9, 1), parent),
			entryOf(zero, level(1, 5, 9, 3), parent), nil},
		{"another birth", entryOf(zero, level(1, 5, 9, 2), parent), entryOf(zero, level(1, 5, 10, 1), parent),
			mapfmt.Entry{}, mapper.ErrStale},
		{"another epoch", entryOf(zero), entryOf(zero, level(1, 4, 9, full)), mapfmt.Entry{}, mapper.ErrStale},
		{"another volume", entryOf(zero), entryOf(zero, level(3, 5, 9, full)), mapfmt.Entry{}, mapper.ErrStale},
		{"nothing", entryOf(zero), entryOf(zero), mapfmt.Entry{}, mapper.ErrStale},
		{"empty mask", entryOf(zero), entryOf(zero, level(1, 5, 9, 0)), mapfmt.Entry{}, mapper.ErrArgument},
		{"a level that was never there", entryOf(zero), entryOf(zero, level(1, 5, 9, 1), parent),
			mapfmt.Entry{}, mapper.ErrStale},
		{"a level with another mask", entryOf(zero, parent), entryOf(zero, level(1, 5, 9, 1), level(2, 1, 7, 1)),
			mapfmt.Entry{}, mapper.ErrStale},
		{"a level is lost", entryOf(zero, parent), entryOf(zero, level(1, 5, 9, 1)), mapfmt.Entry{}, mapper.ErrStale},
		{"a level is covered", entryOf(zero, parent), entryOf(zero, level(1, 5, 9, 0xf1)),
			entryOf(zero, level(1, 5, 9, 0xf1)), nil},
		{"late repetition", entryOf(zero, level(1, 5, 9, 0xf1)), entryOf(zero, level(1, 5, 9, 1), parent),
			entryOf(zero, level(1, 5, 9, 0xf1)), nil},
		{"fourth level merged", entryOf(hashed, middle, parent, level(4, 1, 1, 1<<63)),
			entryOf(hashed, level(1, 5, 9, 0x7), parent, level(4, 1, 1, 1<<63)),
			entryOf(hashed, level(1, 5, 9, 0x7), parent, level(4, 1, 1, 1<<63)), nil},
		{"fourth level not merged", entryOf(hashed, middle, parent, level(4, 1, 1, 1<<63)),
			entryOf(hashed, level(1, 5, 9, 0x4), middle, parent, level(4, 1, 1, 1<<63)),
			mapfmt.Entry{}, mapper.ErrArgument},
		{"bottom is lost", entryOf(hashed), entryOf(zero, level(1, 5, 9, 1)), mapfmt.Entry{}, mapper.ErrStale},
		{"bottom is covered", entryOf(hashed), entryOf(zero, level(1, 5, 9, full)),
			entryOf(zero, level(1, 5, 9, full)), nil},
		{"bottom that was never there", entryOf(zero), entryOf(hashed, level(1, 5, 9, 1)),
			mapfmt.Entry{}, mapper.ErrStale},
		{"late repetition with a bottom", entryOf(zero, level(1, 5, 9, full)), entryOf(hashed, level(1, 5, 9, 1)),
			entryOf(zero, level(1, 5, 9, full)), nil},
	} {
		got, err := mergeCommit(&c.present, &c.offered, owner, 4<<20)
		if !errors.Is(err, c.err) || got != c.want {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v, %v", c.name, got, err, c.want, c.err)
		}
	}
}

// TestMergeKeepsBytes: whatever is offered, a sub-block that isn't committed reads from where it
// did before.
func TestMergeKeepsBytes(t *testing.T) {
	size := rapid.SampledFrom([]int64{64 << 10, 1 << 20, 4 << 20})
	masks := rapid.OneOf(rapid.Uint64Range(1, 0xff), rapid.Just(mapfmt.FullMask), rapid.Uint64Range(1, 1<<63))
	rapid.Check(t, func(t *rapid.T) {
		objectSize := size.Draw(t, "object size")
		present := mapfmt.Entry{Bottom: mapfmt.Bottom(rapid.IntRange(0, 1).Draw(t, "bottom"))}
		known := rapid.Bool().Draw(t, "own")
		n := rapid.IntRange(0, 3).Draw(t, "levels")
		for i := range n {
			l := level(byte(2+i), 1, 1, masks.Draw(t, "mask"))
			if i == 0 && known {
				l = level(1, owner.Epoch, 9, l.Mask)
			}
			present.Levels[i] = l
			present.NumLevels++
		}
		present = present.Normalize(objectSize)
		offered := mapfmt.Entry{Bottom: present.Bottom, NumLevels: 1}
		offered.Levels[0] = level(1, owner.Epoch, 9, masks.Draw(t, "offered mask"))
		for i := range int(present.NumLevels) {
			if l := present.Levels[i]; l.UUID != owner.UUID && !rapid.Bool().Draw(t, "drop") {
				offered.Levels[offered.NumLevels] = l
				offered.NumLevels++
			}
		}
		if rapid.Bool().Draw(t, "drop bottom") {
			offered.Bottom = mapfmt.BottomZero
		}
		merged, err := mergeCommit(&present, &offered, owner, objectSize)
		if err != nil {
			return
		}
		for sub := range mapfmt.SubBlockCount(objectSize) {
			checkSource(t, &present, &offered, &merged, sub)
		}
	})
}

func checkSource(t *rapid.T, present, offered, merged *mapfmt.Entry, sub int) {
	was, is := present.Find(sub), merged.Find(sub)
	switch {
	case offered.Levels[0].Mask>>sub&1 != 0:
		if is != 0 {
			t.Fatalf("committed sub-block %d is read from %d", sub, is)
		}
	case is == mapfmt.AtBottom:
		if was != mapfmt.AtBottom || merged.Bottom != present.Bottom {
			t.Fatalf("sub-block %d was read from %d of %+v, and now from bottom %d", sub, was, present, merged.Bottom)
		}
	case was == mapfmt.AtBottom || merged.Levels[is].UUID != present.Levels[was].UUID:
		t.Fatalf("sub-block %d moved from %d of %+v to %d of %+v", sub, was, present, is, merged)
	}
}
