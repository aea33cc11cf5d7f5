package mapperd

import (
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// diffChunks bounds how many chunks one request compares, and so how long it takes. Tuning.
const diffChunks = 256

// diff finds ranges in which one volume or snapshot may differ from another.
func (e *Engine) diff(op *mapper.Op) error {
	a, err := e.view(op.Name)
	if err != nil {
		return err
	}
	b, err := e.view(op.Other)
	if err != nil {
		return err
	}
	if a.rec.ObjectSize != b.rec.ObjectSize || op.Index < 0 || len(op.Ranges) == 0 {
		err := fmt.Errorf("%w: objects of %d and %d bytes, from %d on, room for %d",
			mapper.ErrArgument, a.rec.ObjectSize, b.rec.ObjectSize, op.Index, len(op.Ranges))
		return volumeError(op.Name, "compare with "+op.Other, err)
	}
	d := &differ{a: a, b: b, op: op}
	return volumeError(op.Name, "compare with "+op.Other, d.run())
}

// differ is one comparison.
type differ struct {
	a, b *view
	op   *mapper.Op
}

func (d *differ) run() error {
	end, index := d.a.objects(), d.op.Index
	for compared := 0; index < end; {
		no := index / mapfmt.ChunkEntries
		next := d.skip(no)
		if next == no {
			if compared++; compared > diffChunks {
				break
			}
			stopped, err := d.chunk(no, index, min(end, (no+1)*mapfmt.ChunkEntries))
			if err != nil {
				return err
			}
			if stopped >= 0 {
				index = stopped
				break
			}
			next = no + 1
		}
		index = next * mapfmt.ChunkEntries
	}
	d.op.More, d.op.Index = index < end, min(index, end)
	return nil
}

// skip returns the first chunk after a page that both share, or no.
func (d *differ) skip(no int64) int64 {
	a, b := d.a.rec, d.b.rec
	at := no / mapfmt.PageChunks
	if d.a.v != nil || d.b.v != nil || !a.IsPaged() || !b.IsPaged() || at >= int64(len(b.Table)) || a.Table[at] != b.Table[at] {
		return no
	}
	return (at + 1) * mapfmt.PageChunks
}

// chunk compares the entries first to end-1. It returns where it stopped for lack of room, or -1.
func (d *differ) chunk(no, first, end int64) (int64, error) {
	same, err := d.isShared(no)
	if err != nil || same {
		return -1, err
	}
	a, err := d.a.chunk(no)
	if err != nil {
		return 0, err
	}
	b, err := d.b.chunk(no)
	if err != nil {
		return 0, err
	}
	beyond := d.b.objects()
	for index := first; index < end; index++ {
		at := int(index % mapfmt.ChunkEntries)
		x, y := a.Get(at), mapfmt.Entry{}
		if index < beyond {
			y = b.Get(at)
		}
		if x != y && !d.object(index, &x, &y) {
			return index, nil
		}
	}
	return -1, nil
}

// isShared says that both read the chunk from the same stored one.
func (d *differ) isShared(no int64) (bool, error) {
	for _, w := range []*view{d.a, d.b} {
		w.refresh()
		if w.inMemory(no) != nil {
			return false, nil
		}
	}
	a, err := d.a.owner(no)
	if err != nil {
		return false, err
	}
	b, err := d.b.owner(no)
	// Where b ends within the chunk, entries beyond its end aren't its own.
	return err == nil && a == b && (a.IsNone() || d.b.objects() >= min(d.a.objects(), (no+1)*mapfmt.ChunkEntries)), err
}

// object adds the ranges of an object that differ; false if they have no room. If there is nothing
// else yet, the whole object is one range, so that a request always gets on.
func (d *differ) object(index int64, x, y *mapfmt.Entry) bool {
	base, before := index*d.a.rec.ObjectSize, d.op.N
	var last mapper.Range
	if before > 0 {
		last = d.op.Ranges[before-1]
	}
	size := mapfmt.SubBlockSize(d.a.rec.ObjectSize)
	for sub := range mapfmt.SubBlockCount(d.a.rec.ObjectSize) {
		if sameSource(x, y, sub) {
			continue
		}
		if d.add(base+int64(sub)*size, size, kindOf(x, sub)) {
			continue
		}
		if d.op.N = before; before > 0 {
			d.op.Ranges[before-1] = last
			return false
		}
		return d.add(base, d.a.rec.ObjectSize, mapper.RangeData)
	}
	return true
}

// sameSource says that both read a sub-block from the same place.
func sameSource(x, y *mapfmt.Entry, sub int) bool {
	i, j := x.Find(sub), y.Find(sub)
	if i == mapfmt.AtBottom || j == mapfmt.AtBottom {
		return i == j && x.Bottom == y.Bottom && x.Key == y.Key
	}
	a, b := &x.Levels[i], &y.Levels[j]
	return a.UUID == b.UUID && a.Epoch == b.Epoch && a.Birth == b.Birth
}

func kindOf(e *mapfmt.Entry, sub int) mapper.RangeKind {
	if e.Find(sub) == mapfmt.AtBottom && e.Bottom == mapfmt.BottomZero {
		return mapper.RangeZero
	}
	return mapper.RangeData
}

// add adds a range, joining it with the last one where they touch; false if there is no room.
func (d *differ) add(offset, length int64, kind mapper.RangeKind) bool {
	op := d.op
	if length = min(length, d.a.rec.Size-offset); length <= 0 {
		return true
	}
	if op.N > 0 {
		if last := &op.Ranges[op.N-1]; last.Kind == kind && last.Offset+last.Length == offset {
			last.Length += length
			return true
		}
	}
	if op.N == int64(len(op.Ranges)) {
		return false
	}
	op.Ranges[op.N] = mapper.Range{Offset: offset, Length: length, Kind: kind}
	op.N++
	return true
}
