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
	v.mu.Lock()
	if l := v.loads[no]; l != nil {
		v.mu.Unlock()
		<-l.done
		return l.err
	}
	if v.chunks[no] != nil || v.closed {
		v.mu.Unlock()
		return nil
	}
	l := &loading{done: make(chan struct{})}
	v.loads[no] = l
	owner := v.rec.Table[no]
	v.mu.Unlock()

	file, entries, err := v.readChunk(owner.At(no))
	v.mu.Lock()
	delete(v.loads, no)
	if err == nil && v.rec.Table[no] == owner && v.chunks[no] == nil {
		c := &chunk{no: no, entries: entries, used: true}
		if owner == v.own() {
			c.file = file
		}
		v.chunks[no] = c
	}
	v.mu.Unlock()
	l.err = err
	close(l.done)
	return err
}

func (v *volume) readChunk(id mapfmt.ChunkID) (*mapfmt.ChunkFile, *mapfmt.Chunk, error) {
	type chunkPair struct {
		file    *mapfmt.ChunkFile
		entries *mapfmt.Chunk
	}
	name := mapfmt.ChunkName(id)
	p, err := readObject(v.e, name, func(data []byte) (chunkPair, error) {
		f, c, err := mapfmt.DecodeChunk(data, id, v.objectSize)
		return chunkPair{f, c}, err
	})
	if errors.Is(err, blocker.ErrNotFound) {
		err = fmt.Errorf("%w: object %s, which the record names, is missing", mapper.ErrCorrupt, name)
	}
	if err != nil {
		return nil, nil, v.errorf(fmt.Sprintf("read chunk %d", id.No), err)
	}
	return p.file, p.entries, nil
}
