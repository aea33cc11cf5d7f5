package vlmcd

import (
	"math/bits"
	"time"

	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// Counters count what a volume was asked for since the engine met it.
type Counters struct {
	Reads, Writes, Zeroes, Discards, Flushes uint64
	BytesRead, BytesWritten                  uint64
}

// volume is what the engine knows of one. It comes with the first request and goes with the last
// one when it isn't open; between thaw and the next request nothing of the map is remembered.
type volume struct {
	uuid        UUID
	info        mapper.Info // while open
	objectSize  int64
	objectShift uint
	counters    Counters
	row         *xseg.VolumeRow // nil: none
	depth       int             // metered operations under way
	pages       map[int64]*page
	tracer      *tracer // nil: not traced

	open    bool
	opening bool
	frozen  bool
	refresh bool // the freeze ends without a change: only to open again

	// running counts what a freeze waits for: pieces, flushes, an Open under way.
	running int
	// changing is set while the map change of a freeze is at the mapper.
	changing bool
	changes  opList // map changes, in order
	hold     uint64 // token of the freeze that waits for its snapshot; 0 = none

	parked       int // operations and pieces in the two lists
	parkedOps    opList
	parkedPieces pieceList
	backoff      time.Duration
	timer        bool // armed

	// Which map entries may not be durable: those committed, or read, with a number above flushed.
	commits   int    // at the mapper
	commitSeq uint64 // raised by each
	flushed   uint64 // commitSeq when the last good flush was submitted

	flushing  bool
	flushNow  opList // covered by the flush under way
	flushNext opList // covered by the next one
	flushSeq  uint64 // commitSeq when the flush under way was submitted
}

// flagReadOnly is XSEG_VOLUME_READONLY of abi.h.
const flagReadOnly = 1

// readOnly says that it is a snapshot.
func (v *volume) readOnly() bool { return v.info.Flags&flagReadOnly != 0 }

// volumeOf returns the volume, made if the engine doesn't know it.
func (e *Engine) volumeOf(u UUID) *volume {
	v := e.volumes[u]
	if v == nil {
		v = &volume{uuid: u, row: e.rows[u], pages: map[int64]*page{}, commitSeq: 1}
		e.volumes[u] = v
	}
	return v
}

// forget drops a volume that nothing refers to. Only the last step of an event may call it: what
// an event is still moving between two lists isn't counted.
func (e *Engine) forget(v *volume) {
	if !v.open && !v.frozen && !v.timer && v.tracer == nil && v.running == 0 && v.parked == 0 {
		delete(e.volumes, v.uuid)
	}
}

// Stats returns the counters of a volume; false if the engine doesn't know it now.
func (e *Engine) Stats(u UUID) (Counters, bool) {
	v := e.volumes[u]
	if v == nil {
		return Counters{}, false
	}
	return v.counters, true
}

func (v *volume) count(op *Op) {
	c := &v.counters
	switch op.Kind {
	case Read:
		c.Reads++
		c.BytesRead += uint64(len(op.Data))
	case Write:
		c.Writes++
		c.BytesWritten += uint64(len(op.Data))
	case WriteZeroes:
		c.Zeroes++
	case Discard:
		c.Discards++
	case Flush:
		c.Flushes++
	}
}

// opened takes the answer to Open.
func (v *volume) opened(info mapper.Info) {
	v.info = info
	v.objectSize = info.ObjectSize
	v.objectShift = uint(bits.TrailingZeros64(uint64(info.ObjectSize)))
	v.open = true
	if !v.uncached() {
		v.backoff = 0 // else writes that wait for the lock go on waiting longer each time
	}
	// What was committed before, by whatever engine, may still lack a flush.
	v.commitSeq++
}
