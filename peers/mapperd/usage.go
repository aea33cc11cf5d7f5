package mapperd

import (
	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// usage counts what the map of a volume refers to.
func (e *Engine) usage(op *mapper.Op) error {
	w, err := e.view(op.Name)
	if err != nil {
		return err
	}
	op.Usage = mapper.Usage{}
	u := &usage{objectSize: w.rec.ObjectSize, own: mapfmt.Owner{UUID: w.rec.UUID, Epoch: w.rec.Epoch}, sum: &op.Usage}
	for no := int64(0); no < w.rec.ChunkCount(); no++ {
		if err := e.ctx.Err(); err != nil {
			return volumeError(op.Name, "usage", mapper.ErrIO)
		}
		if next := w.skipEmptyPage(no); next != no {
			no = next - 1
			continue
		}
		c, err := w.chunk(no)
		if err != nil {
			return volumeError(op.Name, "usage", err)
		}
		c.All(func(_ int, e *mapfmt.Entry) bool {
			u.add(e)
			return true
		})
	}
	op.Usage.Allocated = op.Usage.Exclusive + op.Usage.Shared
	return nil
}

// skipEmptyPage returns the first chunk after a page that isn't there, or no. Of an open volume the
// memory may know more than the table.
func (w *view) skipEmptyPage(no int64) int64 {
	if w.v != nil || !w.rec.IsPaged() || !w.rec.Table[no/mapfmt.PageChunks].IsNone() {
		return no
	}
	return (no/mapfmt.PageChunks + 1) * mapfmt.PageChunks
}

// usage adds entries up.
type usage struct {
	objectSize int64
	own        mapfmt.Owner
	sum        *mapper.Usage
}

func (u *usage) add(e *mapfmt.Entry) {
	u.sum.Objects++
	sub := mapfmt.SubBlockSize(u.objectSize)
	for i := range e.Levels[:e.NumLevels] {
		l := &e.Levels[i]
		n := int64(mapfmt.CountSubBlocks(u.objectSize, l.Mask)) * sub
		if l.UUID == u.own.UUID && l.Epoch == u.own.Epoch {
			u.sum.Exclusive += n
		} else {
			u.sum.Shared += n
		}
	}
	if e.Bottom != mapfmt.BottomZero {
		below := e.Visible(u.objectSize, mapfmt.AtBottom)
		u.sum.Shared += int64(mapfmt.CountSubBlocks(u.objectSize, below)) * sub
	}
}
