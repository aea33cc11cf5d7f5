package mapperd

import (
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// mergeCommit returns what the map holds after the commit of offered over present: the mask of
// level 0 grows by the offered bits, and levels (and the bottom) that offered lacks go, if nothing
// in them is visible any more.
//
// What offered has and present lacks was dropped by an earlier commit under the same birth, when
// all of it was in level 0: a repeated commit is late, and nothing is left to do for it. Under a
// birth that isn't in the map yet it means a translation of another map: ErrStale.
func mergeCommit(present, offered *mapfmt.Entry, own mapfmt.Owner, objectSize int64) (mapfmt.Entry, error) {
	if !offered.IsOwn(own.UUID, own.Epoch) {
		return mapfmt.Entry{}, mapper.ErrStale
	}
	if offered.Levels[0].Mask == 0 || int(offered.NumLevels) > len(offered.Levels) {
		return mapfmt.Entry{}, fmt.Errorf("commit of nothing: %w", mapper.ErrArgument)
	}
	merged := mapfmt.Entry{NumLevels: 1, Bottom: offered.Bottom, Key: offered.Key}
	merged.Levels[0] = offered.Levels[0]
	below := present.Levels[:present.NumLevels]
	known := present.IsOwn(own.UUID, own.Epoch)
	if known {
		if present.Levels[0].Birth != offered.Levels[0].Birth {
			return mapfmt.Entry{}, mapper.ErrStale
		}
		merged.Levels[0].Mask |= present.Levels[0].Mask
		below = below[1:]
	}
	if !mergeLevels(&merged, below, offered.Levels[1:offered.NumLevels], known, objectSize) ||
		!mergeBottom(&merged, present, offered, known, objectSize) {
		return mapfmt.Entry{}, mapper.ErrStale
	}
	if merged.NumLevels > mapfmt.MaxLevels {
		return mapfmt.Entry{}, fmt.Errorf("commit with %d levels: %w", merged.NumLevels, mapper.ErrArgument)
	}
	merged = merged.Normalize(objectSize)
	if err := merged.Check(); err != nil {
		return mapfmt.Entry{}, fmt.Errorf("commit: %w: %w", mapper.ErrArgument, err)
	}
	return merged, nil
}

// mergeLevels adds the levels below that offered keeps; false if offered lacks one of which
// something is visible, or has one that was never there.
func mergeLevels(merged *mapfmt.Entry, below, offered []mapfmt.Level, known bool, objectSize int64) bool {
	kept := 0
	for _, l := range below {
		merged.Levels[merged.NumLevels] = l
		merged.NumLevels++
		if hasLevel(offered, l) {
			kept++
			continue
		}
		at := int(merged.NumLevels) - 1
		if merged.Visible(objectSize, at) != 0 {
			return false
		}
		*merged = merged.WithoutLevel(at)
	}
	return known || kept == len(offered)
}

func hasLevel(list []mapfmt.Level, l mapfmt.Level) bool {
	for _, o := range list {
		if o == l {
			return true
		}
	}
	return false
}

// mergeBottom does for the bottom what mergeLevels does for the levels.
func mergeBottom(merged, present, offered *mapfmt.Entry, known bool, objectSize int64) bool {
	merged.Bottom, merged.Key = present.Bottom, present.Key
	switch {
	case offered.Bottom == present.Bottom && offered.Key == present.Key:
		return true
	case offered.Bottom == mapfmt.BottomZero:
		return merged.Visible(objectSize, mapfmt.AtBottom) == 0
	}
	return known && present.Bottom == mapfmt.BottomZero
}
