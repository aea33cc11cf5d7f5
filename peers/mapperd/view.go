package mapperd

import (
	"archipelago/internal/mapfmt"
)

// view is the map of a volume for whoever reads much of it: chunks aren't kept. Of an open volume it
// is the map as committed, chunk by chunk.
type view struct {
	e    *Engine
	v    *volume // nil: not open
	rec  *mapfmt.Record
	rows []mapfmt.Owner // of the page that was used last
	page int64          // its number; -1 = none
}

func (e *Engine) view(name string) (*view, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	defer e.names.lock(name, "")()
	v, err := e.current(name)
	if err != nil {
		return nil, volumeError(name, "read the map", err)
	}
	if v != nil {
		return &view{e: e, v: v, rec: v.record(), page: -1}, nil
	}
	rec, err := e.liveRecord(name)
	if err != nil {
		return nil, volumeError(name, "read the map", err)
	}
	// A predecessor may have left committed entries in a pending log.
	if rec.Flags&mapfmt.FlagReadOnly == 0 {
		v, err := e.openLocked(name, rec.UUID, lockNone)
		if err != nil {
			return nil, err
		}
		return &view{e: e, v: v, rec: v.record(), page: -1}, nil
	}
	return &view{e: e, rec: rec, page: -1}, nil
}

// owner returns the row of the chunk table for a chunk.
func (w *view) owner(no int64) (mapfmt.Owner, error) {
	if no >= w.rec.ChunkCount() {
		return mapfmt.Owner{}, nil
	}
	if !w.rec.IsPaged() {
		return w.rec.Table[no], nil
	}
	at := no / mapfmt.PageChunks
	if w.page != at {
		rows, err := w.e.readPage(w.rec, at)
		if err != nil {
			return mapfmt.Owner{}, err
		}
		w.rows, w.page = rows, at
	}
	return w.rows[no%mapfmt.PageChunks], nil
}

// refresh takes the record of an open volume as it is now: a flush may have stored chunks under
// another owner, and a page that names them.
func (w *view) refresh() {
	if w.v == nil {
		return
	}
	if rec := w.v.record(); rec != w.rec {
		w.rec = rec
	}
	w.page = -1
}

// inMemory returns a copy of a chunk of an open volume that may hold what isn't stored; nil: the
// stored one is true.
func (w *view) inMemory(no int64) *mapfmt.Chunk {
	if w.v == nil {
		return nil
	}
	w.v.mu.Lock()
	defer w.v.mu.Unlock()
	if c := w.v.chunks[no]; c != nil {
		return c.entries.Clone()
	}
	return nil
}

// chunk returns the entries of a chunk; empty if it has none.
func (w *view) chunk(no int64) (*mapfmt.Chunk, error) {
	if c := w.inMemory(no); c != nil {
		return c, nil
	}
	owner, err := w.owner(no)
	if err != nil || owner.IsNone() {
		return &mapfmt.Chunk{}, err
	}
	_, c, err := w.e.readChunk(owner.At(no), w.rec.ObjectSize)
	return c, err
}

// objects is the number of entries of the map.
func (w *view) objects() int64 { return mapfmt.ObjectCount(w.rec.Size, w.rec.ObjectSize) }
