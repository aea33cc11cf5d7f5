package volume

import (
	"context"
	"math/bits"

	"archipelago/internal/mapfmt"
)

// Extent is a run of bytes of a volume that are read from the same depth.
type Extent struct {
	Length int64 // bytes
	// Depth is how far down the bytes are found: 1 = in the uppermost object that there is at this
	// place, and so on; 0 = nowhere, they read as zeros.
	Depth int
}

// Questions to the mapper about a range: a short one first, because who asks for one extent often
// needs no more, then longer ones.
const (
	firstEntries = 64
	moreEntries  = entriesAtOnce
)

// Extents calls f for the runs of n bytes at off, in order and with no gap between them, until f
// returns false. Neighbours may have the same depth. It reads the map as committed: with what was
// acknowledged before the call, and maybe with what is changed meanwhile. It may block.
// Precondition: [off, off+n) lies inside the volume.
func (v *Volume) Extents(ctx context.Context, off, n int64, f func(Extent) bool) error {
	size, end := v.info.ObjectSize, off+n
	for count := int64(firstEntries); off < end; count = moreEntries {
		index := off / size
		page, err := v.c.mapPage(ctx, &v.info, index, min(count, mapfmt.ObjectCount(end, size)-index))
		if err != nil {
			return wrap(v.info.Name, "map", err)
		}
		for i := range page {
			stop := min(end, (index+int64(i)+1)*size)
			if !v.objectExtents(&page[i], off%size, off%size+stop-off, f) {
				return nil
			}
			off = stop
		}
	}
	return nil
}

// objectExtents calls f for the runs in bytes from to end-1 of an object.
func (v *Volume) objectExtents(e *mapfmt.Entry, from, end int64, f func(Extent) bool) bool {
	size := mapfmt.SubBlockSize(v.info.ObjectSize)
	for from < end {
		depth, same := depthOf(e, int(from/size))
		stop := min(end, (from/size+int64(same))*size)
		if !f(Extent{stop - from, depth}) {
			return false
		}
		from = stop
	}
	return true
}

// depthOf returns the depth at which a sub-block is found, and for how many sub-blocks from there
// on the same holds.
func depthOf(e *mapfmt.Entry, sub int) (depth, same int) {
	level := e.Find(sub)
	switch {
	case level != mapfmt.AtBottom:
		depth = level + 1
	case e.Bottom != mapfmt.BottomZero:
		depth = int(e.NumLevels) + 1
	}
	visible := ^e.Held()
	if level != mapfmt.AtBottom {
		visible = e.Levels[level].Mask
		for i := range level {
			visible &^= e.Levels[i].Mask
		}
	}
	return depth, bits.TrailingZeros64(^(visible >> uint(sub)))
}
