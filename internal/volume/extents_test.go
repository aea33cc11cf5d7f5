package volume

import (
	"testing"

	"pgregory.net/rapid"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// TestObjectExtents compares with a look at every byte's sub-block.
func TestObjectExtents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objectSize := int64(4096) << rapid.IntRange(0, 10).Draw(t, "shift")
		e := mapfmt.Entry{NumLevels: uint8(rapid.IntRange(0, 3).Draw(t, "levels"))}
		for i := range e.NumLevels {
			e.Levels[i].Mask = rapid.Uint64().Draw(t, "mask")
			if rapid.Bool().Draw(t, "full") {
				e.Levels[i].Mask = mapfmt.FullMask
			}
		}
		if rapid.Bool().Draw(t, "bottom") {
			e.Bottom = mapfmt.BottomHashed
		}
		from := rapid.Int64Range(0, objectSize-1).Draw(t, "from")
		end := rapid.Int64Range(from+1, objectSize).Draw(t, "end")
		v := &Volume{info: mapper.Info{ObjectSize: objectSize}}
		at := from
		v.objectExtents(&e, from, end, func(x Extent) bool {
			if x.Length <= 0 || at+x.Length > end {
				t.Fatalf("extent of %d at %d", x.Length, at)
			}
			sub := mapfmt.SubBlockSize(objectSize)
			for i := at / sub; i <= (at+x.Length-1)/sub; i++ {
				if want := slowDepth(&e, int(i)); x.Depth != want {
					t.Fatalf("depth %d at %d, want %d", x.Depth, i*sub, want)
				}
			}
			at += x.Length
			return true
		})
		if at != end {
			t.Fatalf("extents end at %d, want %d", at, end)
		}
	})
}

func slowDepth(e *mapfmt.Entry, sub int) int {
	for i := range e.NumLevels {
		if e.Levels[i].Mask&(1<<sub) != 0 {
			return int(i) + 1
		}
	}
	if e.Bottom == mapfmt.BottomZero {
		return 0
	}
	return int(e.NumLevels) + 1
}
