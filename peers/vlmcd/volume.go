package vlmcd

import (
	"fmt"
	"math/bits"
	"time"

	"archipelago/peers/mapper"
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
	pages       map[int64]*page

	open    bool
	opening bool
	frozen  bool
	refresh bool // the freeze ends without a change: only to open again

	// running counts what a freeze waits for: pieces, flushes, an Open under way.
	running int
	// changing is set while the map change of a freeze is at the mapper.
	changing bool
	changes  opList // map changes, in order

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
		v = &volume{uuid: u, pages: map[int64]*page{}, commitSeq: 1}
		e.volumes[u] = v
	}
	return v
}

// forget drops a volume that nothing refers to. Only the last step of an event may call it: what
// an event is still moving between two lists isn't counted.
func (e *Engine) forget(v *volume) {
	if !v.open && !v.frozen && !v.timer && v.running == 0 && v.parked == 0 {
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

// acceptIO takes a new operation that doesn't change the map.
func (e *Engine) acceptIO(op *Op) {
	if op.Volume == (UUID{}) {
		e.finish(op, fmt.Errorf("no volume given: %w", mapper.ErrArgument))
		return
	}
	if !e.routed(op) {
		return
	}
	v := e.volumeOf(op.Volume)
	if v.parked >= e.cfg.MaxParked {
		e.finish(op, fmt.Errorf("volume %s: %d requests wait: %w", op.Name, v.parked, mapper.ErrAgain))
		return
	}
	op.vol = v
	v.count(op)
	e.begin(op)
}

// routed ends op if another thread serves its volume.
func (e *Engine) routed(op *Op) bool {
	port, here := e.cfg.Route(op.Volume)
	if !here {
		op.Info.UUID, op.Info.Port = op.Volume, port
		e.finish(op, fmt.Errorf("volume %s is served by port %d: %w", op.Name, port, mapper.ErrStale))
	}
	return here
}

// begin starts an operation, or goes on with one that was parked.
func (e *Engine) begin(op *Op) {
	v := op.vol
	if v.frozen || !v.open && (op.Kind != Flush || op.reopen) {
		e.parkOp(op)
		return
	}
	switch {
	case op.Kind == Flush || op.closing:
		e.joinFlush(op)
	case op.started:
		e.advance(op)
	case op.Flags&FlagFlush != 0 && !op.flushed:
		e.joinFlush(op)
	default:
		e.start(op)
	}
}

// start checks the range and cuts the operation into pieces.
func (e *Engine) start(op *Op) {
	if err := e.checkRange(op); err != nil {
		e.finish(op, fmt.Errorf("volume %s: %w", op.Name, err))
		return
	}
	op.started = true
	op.cursor, op.end = op.Offset, op.Offset+op.Length
	e.advance(op)
}

func (e *Engine) checkRange(op *Op) error {
	v := op.vol
	if op.Kind == Read || op.Kind == Write {
		op.Length = int64(len(op.Data))
	}
	if op.modifies() && v.readOnly() {
		return mapper.ErrReadOnly
	}
	if op.Offset < 0 || op.Length < 0 {
		return fmt.Errorf("%d bytes at %d: %w", op.Length, op.Offset, mapper.ErrArgument)
	}
	if op.Offset > v.info.Size || op.Length > v.info.Size-op.Offset {
		err := mapper.ErrArgument
		if op.Kind == Write {
			err = mapper.ErrNoSpace
		}
		return fmt.Errorf("%d bytes at %d of %d: %w", op.Length, op.Offset, v.info.Size, err)
	}
	return nil
}

// advance makes pieces of what has none yet, as many as may be under way, and ends the operation
// when all have ended.
func (e *Engine) advance(op *Op) {
	if op.advancing || op.parked {
		return
	}
	op.advancing = true
	for op.cursor < op.end && op.live < maxPieces && op.Err == nil {
		if op.vol.frozen || !op.vol.open {
			e.parkOp(op)
			break
		}
		e.translate(e.newPiece(op))
	}
	op.advancing = false
	if op.live > 0 || op.parked {
		return
	}
	if op.Err == nil && op.needFlush {
		// Even under a freeze, which waits for it: the pieces were let in.
		op.needFlush, op.closing = false, true
		e.joinFlush(op)
		return
	}
	e.finish(op, nil)
}

// opened takes the answer to Open.
func (v *volume) opened(info mapper.Info) {
	v.info = info
	v.objectSize = info.ObjectSize
	v.objectShift = uint(bits.TrailingZeros64(uint64(info.ObjectSize)))
	v.open = true
	v.backoff = 0
	// What was committed before, by whatever engine, may still lack a flush.
	v.commitSeq++
}
