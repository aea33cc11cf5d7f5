package mapperd

import (
	"errors"
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// loading is a chunk that is being read; others wait for it.
type loading struct {
	done chan struct{}
	err  error
}

// load brings a chunk into memory. It blocks; of several calls one reads.
func (v *volume) load(no int64) error {
	return v.once(need{needChunk, no}, func() error {
		v.mu.Lock()
		owner, n := v.owner(no)
		there := v.chunks[no] != nil || v.closed || no >= v.rec.ChunkCount()
		v.mu.Unlock()
		if there || n.what != needNothing || owner.IsNone() {
			return nil // the caller looks again
		}
		file, entries, err := v.e.readChunk(owner.At(no), v.objectSize)
		if err != nil {
			return v.errorf(fmt.Sprintf("read chunk %d", no), err)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		if now, n := v.owner(no); n.what == needNothing && now == owner && v.chunks[no] == nil {
			v.putChunk(no, owner, file, entries)
		}
		return nil
	})
}

// putChunk takes a chunk that was read into use. v.mu is held.
func (v *volume) putChunk(no int64, owner mapfmt.Owner, file *mapfmt.ChunkFile, entries *mapfmt.Chunk) {
	c := &chunk{no: no, entries: entries, used: true}
	if owner == v.own() {
		c.file = file
	}
	v.chunks[no] = c
}

// once runs f, unless somebody loads the same already: then it waits for that one.
func (v *volume) once(what need, f func() error) error {
	v.mu.Lock()
	if l := v.loads[what]; l != nil {
		v.mu.Unlock()
		<-l.done
		return l.err
	}
	l := &loading{done: make(chan struct{})}
	v.loads[what] = l
	v.mu.Unlock()
	l.err = f()
	v.mu.Lock()
	delete(v.loads, what)
	v.mu.Unlock()
	close(l.done)
	return l.err
}

// chunkFor is chunkAt for whoever may wait; the chunk is added where there is none. Precondition:
// the volume is not open yet, or ctl is held and it is frozen.
func (v *volume) chunkFor(index int64) (*chunk, int, error) {
	for {
		v.mu.Lock()
		c, at, n := v.chunkAt(index, true)
		v.mu.Unlock()
		if n.what == needNothing {
			return c, at, nil
		}
		if err := v.provide(n); err != nil {
			return nil, 0, err
		}
	}
}

// readChunk reads a chunk that a chunk table names.
func (e *Engine) readChunk(id mapfmt.ChunkID, objectSize int64) (*mapfmt.ChunkFile, *mapfmt.Chunk, error) {
	type chunkPair struct {
		file    *mapfmt.ChunkFile
		entries *mapfmt.Chunk
	}
	name := mapfmt.ChunkName(id)
	p, err := readObject(e, name, func(data []byte) (chunkPair, error) {
		f, c, err := mapfmt.DecodeChunk(data, id, objectSize)
		return chunkPair{f, c}, err
	})
	if errors.Is(err, blocker.ErrNotFound) {
		err = fmt.Errorf("%w: object %s, which the record names, is missing", mapper.ErrCorrupt, name)
	}
	if err != nil {
		return nil, nil, err
	}
	return p.file, p.entries, nil
}
