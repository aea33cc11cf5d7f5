package mapperd

import (
	"errors"
	"fmt"
	"slices"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// page is a page of a chunk table in memory. Its rows never change: a new page takes its place.
type page struct {
	rows []mapfmt.Owner
	used bool // since the last tick
}

// owner returns the row of the chunk table for a chunk, or which page is needed first. v.mu is held.
func (v *volume) owner(no int64) (mapfmt.Owner, need) {
	if no >= v.rec.ChunkCount() {
		return mapfmt.Owner{}, done
	}
	if !v.rec.IsPaged() {
		return v.rec.Table[no], done
	}
	at := no / mapfmt.PageChunks
	if v.rec.Table[at].IsNone() {
		return mapfmt.Owner{}, done
	}
	p := v.pages[at]
	if p == nil {
		return mapfmt.Owner{}, need{needPage, at}
	}
	p.used = true
	return p.rows[no%mapfmt.PageChunks], done
}

// loadPage brings a page of the chunk table into memory. It blocks.
func (v *volume) loadPage(no int64) error {
	return v.once(need{needPage, no}, func() error {
		v.mu.Lock()
		rec := v.rec
		there := v.pages[no] != nil || v.closed || !rec.IsPaged() || no >= int64(len(rec.Table))
		v.mu.Unlock()
		if there || rec.Table[no].IsNone() {
			return nil // the caller looks again
		}
		rows, err := v.e.readPage(rec, no)
		if err != nil {
			return v.errorf(fmt.Sprintf("read page %d of the chunk table", no), err)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.rec.IsPaged() && no < int64(len(v.rec.Table)) && v.rec.Table[no] == rec.Table[no] && v.pages[no] == nil {
			v.pages[no] = &page{rows, true}
		}
		return nil
	})
}

// readPage reads a page that the table of a record names; one that it doesn't name is empty.
func (e *Engine) readPage(rec *mapfmt.Record, no int64) ([]mapfmt.Owner, error) {
	if rec.Table[no].IsNone() {
		return make([]mapfmt.Owner, mapfmt.PageChunks), nil
	}
	id := rec.Table[no].At(no)
	name := mapfmt.PageName(id)
	rows, err := readObject(e, name, func(data []byte) ([]mapfmt.Owner, error) {
		return mapfmt.DecodePage(data, id)
	})
	if errors.Is(err, blocker.ErrNotFound) {
		err = fmt.Errorf("%w: object %s, which the record names, is missing", mapper.ErrCorrupt, name)
	}
	return rows, err
}

func (e *Engine) writePage(id mapfmt.ChunkID, rows []mapfmt.Owner) error {
	data, err := mapfmt.EncodePage(id, rows)
	if err != nil {
		return fmt.Errorf("%w: %w", mapper.ErrArgument, err)
	}
	return e.replace(id.Owner, mapfmt.PageName(id), data)
}

// storePages makes the chunk table name the chunks of a cut, where it is paged, and returns the
// rows of the record that have to name the volume: those of the chunks, or of the pages. A page of
// the present epoch is replaced, another one stays for whoever shares it.
func (v *volume) storePages(c *cut) (rows []int64, err error) {
	own := mapfmt.Owner{UUID: v.uuid, Epoch: c.rec.Epoch}
	if !c.rec.IsPaged() {
		for _, ch := range c.chunks {
			rows = append(rows, ch.no)
		}
		return rows, nil
	}
	changed := map[int64][]mapfmt.Owner{}
	for _, ch := range c.chunks {
		at := ch.no / mapfmt.PageChunks
		if changed[at] == nil {
			if changed[at], err = v.pageRows(c.rec, at); err != nil {
				return nil, err
			}
			rows = append(rows, at)
		}
		changed[at][ch.no%mapfmt.PageChunks] = own
	}
	c.pages = map[int64]*page{}
	for _, at := range rows {
		if c.late {
			continue
		}
		if err := v.storePage(c, at, changed[at]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// pageRows returns a copy of the rows of a page.
func (v *volume) pageRows(rec *mapfmt.Record, at int64) ([]mapfmt.Owner, error) {
	v.mu.Lock()
	p := v.pages[at]
	v.mu.Unlock()
	if p != nil {
		return slices.Clone(p.rows), nil
	}
	return v.e.readPage(rec, at)
}

// storePage writes a page, unless it is as stored.
func (v *volume) storePage(c *cut, at int64, rows []mapfmt.Owner) error {
	own := mapfmt.Owner{UUID: v.uuid, Epoch: c.rec.Epoch}
	v.mu.Lock()
	p := v.pages[at]
	v.mu.Unlock()
	if c.rec.Table[at] == own && p != nil && slices.Equal(p.rows, rows) {
		return nil
	}
	if err := v.e.writePage(own.At(at), rows); err != nil {
		return err
	}
	c.pages[at] = &page{rows, true}
	return nil
}

// resizeTable gives a record another size, and the table that it needs for that. Where a table
// becomes paged its rows are stored as a page of the record's owner, which must be able to write it.
func (e *Engine) resizeTable(rec *mapfmt.Record, size int64) error {
	was, is := rec.IsPaged(), mapfmt.IsPaged(size, rec.ObjectSize)
	table := rec.Table
	switch {
	case was && !is:
		rows, err := e.readPage(rec, 0)
		if err != nil {
			return err
		}
		table = rows
	case !was && is:
		first := mapfmt.Owner{}
		if slices.ContainsFunc(table, func(o mapfmt.Owner) bool { return !o.IsNone() }) {
			first = mapfmt.Owner{UUID: rec.UUID, Epoch: rec.Epoch}
			rows := append(slices.Clone(table), make([]mapfmt.Owner, mapfmt.PageChunks-len(table))...)
			if err := e.writePage(first.At(0), rows); err != nil {
				return err
			}
		}
		table = []mapfmt.Owner{first}
	}
	n := mapfmt.TableLen(size, rec.ObjectSize)
	if len(table) > n {
		table = table[:n]
	}
	rec.Table = append(slices.Clone(table), make([]mapfmt.Owner, n-len(table))...)
	rec.Size = size
	return nil
}
