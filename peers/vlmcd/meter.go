package vlmcd

import (
	"time"

	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// Each volume that is served has a row of counters in the segment, for all to read. It is claimed
// when the volume is first opened, kept while the volume is forgotten between two requests, and
// given back when it is closed or removed. Where there are more volumes than rows, those that are idle
// for long give theirs away.

// defaultIdleRow is how long a volume keeps its row while others have none.
const defaultIdleRow = time.Minute

// metered maps kinds of operations to what a row tells apart, plus one; 0 = not counted.
var metered = [...]xseg.VolumeOp{
	Read: 1 + xseg.VolumeRead, Write: 1 + xseg.VolumeWrite, Flush: 1 + xseg.VolumeFlush,
	Discard: 1 + xseg.VolumeDiscard, WriteZeroes: 1 + xseg.VolumeDiscard,
}

func isMetered(k Kind) bool { return int(k) < len(metered) && metered[k] != 0 }

// meterBegin counts an operation that op.vol has from now on.
func (e *Engine) meterBegin(op *Op) {
	v := op.vol
	if !isMetered(op.Kind) {
		return
	}
	if v.row == nil && v.open {
		e.meterOpened(v) // its row went to another one while it was idle
	}
	v.depth++
	v.row.Begin()
}

// meterEnd counts its end.
func (op *Op) meterEnd() {
	v := op.vol
	if v == nil || !isMetered(op.Kind) {
		return
	}
	v.depth--
	bytes := op.Length
	if op.Kind == Flush {
		bytes = 0
	}
	v.row.End(metered[op.Kind]-1, bytes, op.Received, op.Err != nil)
}

// meterOpened gives an open volume its row.
func (e *Engine) meterOpened(v *volume) {
	row, known := e.rows[v.uuid]
	if !known && e.cfg.Claim != nil {
		row = e.claimRow(v)
		e.rows[v.uuid] = row // also none: the question isn't asked again before the next close
	} else {
		row.Describe(v.info.Name, v.info.Size)
	}
	if v.row == nil && row != nil {
		v.row = row
		for range v.depth {
			row.Begin()
		}
	}
}

// claimRow takes a free row, or else one of a volume that doesn't use it; nil if there is none.
func (e *Engine) claimRow(v *volume) *xseg.VolumeRow {
	row, err := e.cfg.Claim(v.uuid, v.info.Name, v.info.Size)
	if err != nil && e.evictRow() {
		row, err = e.cfg.Claim(v.uuid, v.info.Name, v.info.Size)
	}
	if err != nil && e.cfg.Unmetered != nil {
		e.cfg.Unmetered(v.info.Name, err)
	}
	return row
}

// evictRow frees the row of the volume that has been idle for the longest.
func (e *Engine) evictRow() bool {
	var oldest *xseg.VolumeRow
	for _, row := range e.rows {
		if row != nil && row.Idle() > e.cfg.IdleRow && (oldest == nil || row.Idle() > oldest.Idle()) {
			oldest = row
		}
	}
	if oldest == nil {
		return false
	}
	u := oldest.UUID()
	oldest.Release()
	delete(e.rows, u)
	if v := e.volumes[u]; v != nil {
		v.row = nil
	}
	return true
}

// meterChanged keeps the row in line with a map change that took place.
func (e *Engine) meterChanged(v *volume, kind Kind, info *mapper.Info) {
	row, known := e.rows[v.uuid]
	if !known {
		return
	}
	switch kind {
	case Close, Delete:
		row.Release()
		delete(e.rows, v.uuid)
		v.row = nil
	case Rename, Resize, Rollback:
		if info.UUID == v.uuid {
			row.Describe(info.Name, info.Size)
		}
	}
}
