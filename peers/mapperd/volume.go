package mapperd

import (
	"fmt"
	"sync"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// volume is an open volume or snapshot.
type volume struct {
	e    *Engine
	name string
	uuid mapfmt.UUID

	objectSize int64

	// ctl is held by whatever changes epoch, lock or existence of the volume.
	ctl sync.Mutex
	// storing is held by a running flush, and by whoever else writes the record: no record is
	// written over with an older one.
	storing sync.Mutex

	// growing is held by whoever puts a larger pending log in place.
	growing sync.Mutex

	mu     sync.Mutex
	rec    *mapfmt.Record // as stored; never changed, only replaced
	closed bool           // no longer the open volume of its UUID: look again
	frozen bool           // the map is about to change: no new reservations and commits

	guest      bool   // not in the engine, because another node may change it: for one operation
	holder     string // of a guest: the node that holds the lock, or ""
	borrowed   bool   // opened for one change, closed after it; guarded by the lock of the name
	owned      bool   // this node holds the lock
	generation uint64 // of the lock, as last seen

	log     *pendingLog       // nil: none yet under this generation and epoch
	oldest  time.Time         // when the oldest entry in the log was committed, or earlier
	chunks  map[int64]*chunk  // in memory
	pages   map[int64]*page   // of the chunk table, in memory; only if it is paged
	loads   map[need]*loading // chunks and pages that are being read
	dirty   map[int64]*chunk  // with committed entries that no cut has taken
	gone    []mapfmt.ObjectID // discarded objects that no cut has taken
	cuts    cuts              // who waits for which flush
	cutting bool              // a flush has taken a cut and hasn't ended it
	touched time.Time         // last tick that found the volume in use
}

// chunk is a loaded chunk of the map. Guarded by volume.mu, but for file and settled, which belong
// to the running flush while there is one.
type chunk struct {
	no      int64
	entries *mapfmt.Chunk
	shared  bool              // a cut holds entries: copy before a change
	file    *mapfmt.ChunkFile // to append to; nil: the next flush writes a new base
	settled bool              // all of the file is durable and its tail isn't torn
	dirty   bitmap            // entries committed since the last cut
	used    bool              // since the last tick
}

// bitmap has a bit for each entry of a chunk.
type bitmap [mapfmt.ChunkEntries / 64]uint64

func (b *bitmap) set(i int) { b[i/64] |= 1 << (i % 64) }

func (b *bitmap) has(i int) bool { return b[i/64]>>(i%64)&1 != 0 }

func (b *bitmap) add(o *bitmap) {
	for i := range b {
		b[i] |= o[i]
	}
}

func newVolume(e *Engine, name string, rec *mapfmt.Record) *volume {
	return &volume{
		e: e, name: name, uuid: rec.UUID, objectSize: rec.ObjectSize, rec: rec,
		chunks: map[int64]*chunk{}, loads: map[need]*loading{}, pages: map[int64]*page{}, dirty: map[int64]*chunk{},
	}
}

// errorf gives an error the name of the volume.
func (v *volume) errorf(what string, err error) error {
	return volumeError(v.name, what, err)
}

func volumeError(name, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("volume %s: %s: %w", name, what, err)
}

func (v *volume) isReadOnly() bool { return v.rec.Flags&mapfmt.FlagReadOnly != 0 }

// record returns the record as stored; it never changes.
func (v *volume) record() *mapfmt.Record {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rec
}

// own is under what the volume's own chunks are stored. v.mu is held.
func (v *volume) own() mapfmt.Owner { return mapfmt.Owner{UUID: v.uuid, Epoch: v.rec.Epoch} }

// set changes an entry in memory and remembers that it isn't stored. v.mu is held.
func (v *volume) set(c *chunk, at int, e *mapfmt.Entry) error {
	if c.shared {
		c.entries, c.shared = c.entries.Clone(), false
	}
	if err := c.entries.Set(at, e); err != nil {
		return err
	}
	c.dirty.set(at)
	v.dirty[c.no] = c
	return nil
}

// infoLocked describes the volume. v.mu is held.
func (v *volume) infoLocked() mapper.Info {
	i := makeInfo(v.e, v.name, v.rec, v.owned, v.generation)
	if v.guest {
		i.Flags |= mapper.FlagUncached
		i.Owner = v.holder
	}
	return i
}

func (v *volume) info() mapper.Info {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.infoLocked()
}

func makeInfo(e *Engine, name string, r *mapfmt.Record, owned bool, generation uint64) mapper.Info {
	i := mapper.Info{
		UUID: r.UUID, Name: name, Size: r.Size, ObjectSize: r.ObjectSize, Epoch: r.Epoch,
		Term: e.cfg.Term, Generation: generation, Created: r.Created, Modified: r.Modified,
		Flags:  uint32(r.Flags & (mapfmt.FlagReadOnly | mapfmt.FlagHashed | mapfmt.FlagPending | mapfmt.FlagMoving)),
		Chunks: int(r.ChunkCount()),
	}
	if owned {
		i.Flags |= mapper.FlagOpen
		i.Owner = e.cfg.Node
	}
	if o, ok := r.Origin(); ok {
		i.Origin = o.UUID
	}
	return i
}

// freeze ends reservations and commits until thaw; both under ctl.
func (v *volume) freeze() {
	v.mu.Lock()
	v.frozen = true
	v.mu.Unlock()
}

func (v *volume) thaw() {
	v.mu.Lock()
	v.frozen = false
	v.mu.Unlock()
}

// retire takes the volume out of the engine: whoever still holds it looks again. No flush runs
// and none starts afterwards. Precondition: ctl is held, and the volume is frozen.
func (v *volume) retire() {
	v.e.unpublish(v)
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.cuts.wait()
	v.abandon()
}

// abandon lets go of the memory of the pending log; the file stays. No flush may run.
func (v *volume) abandon() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	if v.log == nil {
		return
	}
	if err := v.log.close(); err != nil {
		v.e.cfg.Log.Warn("pending log not unmapped", "volume", v.name, "error", err)
	}
	v.log = nil
}

// age says whether the volume has committed entries that are old, and forgets what of the map
// wasn't used for long.
func (v *volume) age(now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Sub(v.touched) >= v.e.cfg.IdleAfter {
		v.touched = now
		v.evict()
	}
	return len(v.dirty) > 0 && now.Sub(v.oldest) >= v.e.cfg.FlushAfter
}

// evict forgets the chunks that weren't used since it last ran. v.mu is held.
func (v *volume) evict() {
	for no, c := range v.chunks {
		if c.used || c.shared || v.dirty[no] != nil {
			c.used = false
			continue
		}
		delete(v.chunks, no)
	}
	for no, p := range v.pages {
		if !p.used {
			delete(v.pages, no)
		}
		p.used = false
	}
}
