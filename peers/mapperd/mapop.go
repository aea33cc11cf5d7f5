package mapperd

import (
	"errors"
	"fmt"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// need is what an operation on the map waits for.
type need struct {
	what int
	no   int64 // of the chunk or the page
}

const (
	needNothing = iota // it has ended; op.Err says how
	needVolume         // the volume was closed: open it
	needChunk          // a chunk isn't in memory
	needPage           // a page of the chunk table isn't
	needLock           // this node doesn't hold the lock
	needLog            // there is no pending log yet
	needRoom           // the pending log is full
)

var done = need{}

// mapOp does an operation on the map, waiting for what it needs.
func (e *Engine) mapOp(op *mapper.Op) error {
	wish := lockNone
	if op.Kind == mapper.MapWrite {
		wish = lockTry
	}
	var v *volume
	for {
		if v == nil || !v.guest { // a guest is the same for the whole operation
			var err error
			if v, err = e.find(op.Volume, op.Name, wish); err != nil {
				return err
			}
		}
		n := v.try(op)
		if n.what == needNothing {
			return op.Err
		}
		if v.guest && n.what == needLock {
			return mapper.ErrAgain // the owner frees it, and the caller comes again
		}
		if err := v.provide(n); err != nil && !errors.Is(err, errClosed) {
			return forKind(op.Kind, err)
		}
	}
}

// forKind applies the policy of locks: writes wait until the owner frees it, so the caller is told
// to come again.
func forKind(kind mapper.Kind, err error) error {
	if kind == mapper.MapWrite && errors.Is(err, mapper.ErrBusy) {
		return mapper.ErrAgain
	}
	return err
}

// provide waits for what an operation needs.
func (v *volume) provide(n need) error {
	switch n.what {
	case needChunk:
		return v.load(n.no)
	case needPage:
		return v.loadPage(n.no)
	case needLock:
		v.ctl.Lock()
		defer v.ctl.Unlock()
		return v.acquire()
	case needLog:
		v.ctl.Lock()
		defer v.ctl.Unlock()
		return v.renewLog()
	case needRoom:
		return v.makeRoom()
	}
	return nil // needVolume: the caller looks again
}

// try does an operation from memory. It never blocks.
func (v *volume) try(op *mapper.Op) need {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return need{what: needVolume}
	}
	op.Err = nil
	switch op.Kind {
	case mapper.MapRead:
		return v.mapRead(op)
	case mapper.MapWrite:
		return v.mapWrite(op)
	}
	return v.commit(op)
}

// chunkAt returns the chunk that holds index and the position in it, or what is needed first. The
// chunk is nil if it has nothing in it and add isn't set. v.mu is held.
func (v *volume) chunkAt(index int64, add bool) (*chunk, int, need) {
	no, at := index/mapfmt.ChunkEntries, int(index%mapfmt.ChunkEntries)
	if c := v.chunks[no]; c != nil {
		c.used = true
		return c, at, done
	}
	owner, n := v.owner(no)
	if n.what != needNothing {
		return nil, 0, n
	}
	if !owner.IsNone() {
		return nil, 0, need{needChunk, no}
	}
	var c *chunk
	if add {
		c = &chunk{no: no, entries: &mapfmt.Chunk{}, used: true}
		v.chunks[no] = c
	}
	return c, at, done
}

// objects is the number of entries of the map. v.mu is held.
func (v *volume) objects() int64 { return mapfmt.ObjectCount(v.rec.Size, v.rec.ObjectSize) }

func (v *volume) outOfRange(index int64) error {
	return v.errorf(fmt.Sprintf("object %d of %d", index, v.objects()), mapper.ErrArgument)
}

func (v *volume) mapRead(op *mapper.Op) need {
	if op.Index < 0 {
		op.Err = v.outOfRange(op.Index)
		return done
	}
	end := v.objects()
	for i := range op.Entries {
		index := op.Index + int64(i)
		if index >= end || index < 0 {
			clear(op.Entries[i:])
			break
		}
		c, at, n := v.chunkAt(index, false)
		if n.what != needNothing {
			return n
		}
		if c == nil {
			op.Entries[i] = mapfmt.Entry{}
		} else {
			op.Entries[i] = c.entries.Get(at)
		}
	}
	return done
}

func (v *volume) mapWrite(op *mapper.Op) need {
	switch {
	case v.isReadOnly():
		op.Err = mapper.ErrReadOnly
		return done
	case op.Index < 0 || op.Index >= v.objects():
		op.Err = v.outOfRange(op.Index)
		return done
	case v.frozen:
		op.Err = mapper.ErrAgain
		return done
	case !v.owned:
		return need{what: needLock}
	}
	c, at, n := v.chunkAt(op.Index, true)
	if n.what != needNothing {
		return n
	}
	op.Entry = v.writable(c.entries.Get(at))
	return done
}

// writable returns the entry with an object on top that the volume may write in place: the present
// one, or a new one. A new one is remembered nowhere: its birth makes the name unique, and of two
// that were given out for one index the first that is committed wins. If it were given out again,
// bytes of a writer that died under it could show up under another one's commit. v.mu is held.
func (v *volume) writable(present mapfmt.Entry) mapfmt.Entry {
	if present.IsOwn(v.uuid, v.rec.Epoch) {
		return present
	}
	e := mapfmt.Entry{Bottom: present.Bottom, Key: present.Key, NumLevels: present.NumLevels + 1}
	e.Levels[0] = mapfmt.Level{UUID: v.uuid, Epoch: v.rec.Epoch, Birth: mapfmt.NewBirth()}
	copy(e.Levels[1:], present.Levels[:present.NumLevels])
	return e
}

func (v *volume) commit(op *mapper.Op) need {
	switch {
	case v.isReadOnly():
		op.Err = mapper.ErrReadOnly
		return done
	case op.Index < 0 || op.Index >= v.objects():
		op.Err = v.outOfRange(op.Index)
		return done
	// Without the lock there is no reservation that the commit could rest on, and under a freeze
	// the map is about to change.
	case op.Term != v.e.cfg.Term || !v.owned || v.frozen:
		op.Err = mapper.ErrStale
		return done
	}
	c, at, n := v.chunkAt(op.Index, true)
	if n.what != needNothing {
		return n
	}
	present := c.entries.Get(at)
	if op.Replace && op.Entry.NumLevels > 0 && op.Entry.Levels[0].Mask == 0 {
		return v.discard(op, c, at, &present)
	}
	merged, err := mergeCommit(&present, &op.Entry, v.own(), v.rec.ObjectSize)
	if err != nil {
		op.Err = err
		return done
	}
	if merged != present {
		if n := v.store(op, c, at, &merged); n.what != needNothing || op.Err != nil {
			return n
		}
	}
	op.Entry = merged
	return done
}

// discard takes an object out of the map. What the volume may write in place nobody else refers to:
// it is deleted once the map without it is durable. v.mu is held.
func (v *volume) discard(op *mapper.Op, c *chunk, at int, present *mapfmt.Entry) need {
	own, offered := v.own(), &op.Entry
	switch {
	case !offered.IsOwn(own.UUID, own.Epoch):
		op.Err = mapper.ErrStale
	case !offered.HasNothingBelow():
		op.Err = fmt.Errorf("discard with something below: %w", mapper.ErrArgument)
	case present.IsOwn(own.UUID, own.Epoch) && present.Levels[0].Birth != offered.Levels[0].Birth:
		op.Err = mapper.ErrStale
	}
	if op.Err != nil {
		return done
	}
	var nothing mapfmt.Entry
	if !present.IsZero() {
		if n := v.store(op, c, at, &nothing); n.what != needNothing || op.Err != nil {
			return n
		}
		if present.IsOwn(own.UUID, own.Epoch) {
			v.forget(mapfmt.ObjectOf(op.Index, present.Levels[0]))
		}
	}
	op.Entry = nothing
	return done
}

// forget has an object deleted when the map without it is durable. v.mu is held.
func (v *volume) forget(o mapfmt.ObjectID) {
	if v.e.cfg.faults.deleteEarly {
		v.e.deleteSome([]mapfmt.ObjectID{o})
		return
	}
	v.gone = append(v.gone, o)
}

// store logs an entry and puts it into the map; the log first, so that nothing is answered that
// isn't in it. v.mu is held.
func (v *volume) store(op *mapper.Op, c *chunk, at int, e *mapfmt.Entry) need {
	switch {
	case v.log == nil:
		return need{what: needLog}
	case v.log.isFull():
		return need{what: needRoom}
	}
	if err := v.log.append(op.Index, e); err != nil {
		op.Err = v.errorf("commit", fmt.Errorf("%w: %w", mapper.ErrArgument, err))
		return done
	}
	if len(v.dirty) == 0 {
		v.oldest = time.Now()
	}
	if err := v.set(c, at, e); err != nil {
		op.Err = v.errorf("commit", fmt.Errorf("%w: %w", mapper.ErrArgument, err))
		return done
	}
	if v.log.isHalfFull() {
		v.relieveLog()
	}
	return done
}
