package vlmcd

import (
	"fmt"

	"archipelago/peers/mapper"
)

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
	e.meterBegin(op)
	if v.tracer != nil {
		v.tracer.traceBegin(op)
	}
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
	if e.stopping || v.frozen || !v.open && (op.Kind != Flush || op.reopen) {
		e.parkOp(op)
		return
	}
	switch {
	case op.modifies() && v.uncached():
		e.awaitLock(op)
	case op.Kind == Flush || op.closing:
		e.joinFlush(op)
	case op.started && op.end > v.info.Size:
		e.abandon(op, fmt.Errorf("volume %s: the volume has shrunk: %w", op.Name, beyondEnd(op.Kind)))
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
		return fmt.Errorf("%d bytes at %d of %d: %w", op.Length, op.Offset, v.info.Size, beyondEnd(op.Kind))
	}
	return nil
}

// atOnce is how many pieces of op may be under way.
func (op *Op) atOnce() int {
	if op.Kind == Flatten {
		return maxFlattening
	}
	return maxPieces
}

// beyondEnd is the error of a range that isn't in the volume.
func beyondEnd(k Kind) error {
	if k == Write {
		return mapper.ErrNoSpace
	}
	return mapper.ErrArgument
}

// advance makes pieces of what has none yet, as many as may be under way, and ends the operation
// when all have ended.
func (e *Engine) advance(op *Op) {
	if op.advancing || op.parked {
		return
	}
	op.advancing = true
	for op.cursor < op.end && op.live < op.atOnce() && op.Err == nil {
		if e.stopping || op.vol.frozen || !op.vol.open {
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
