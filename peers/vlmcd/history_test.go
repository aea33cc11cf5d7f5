package vlmcd

import (
	"encoding/binary"
	"math"
	"testing"

	"archipelago/internal/mapfmt"
)

// never is the time of what hasn't ended.
const never = math.MaxInt

// write is one change of a sector. Value 0 is zeros; every other value is written once.
type write struct {
	value      uint64
	start, end int
	// maybe: it may have had no effect (its client died, it failed, or it is a discard), so it
	// proves nothing about others.
	maybe bool
	// durable: it was acknowledged with FUA.
	durable bool
}

type look struct {
	value      uint64
	start, end int
}

// history knows what each sector of a volume may hold.
type history struct {
	t     testing.TB
	name  string
	wrote [][]*write // by sector
	seen  [][]look
}

func newHistory(t testing.TB, name string, initial []uint64) *history {
	h := &history{t: t, name: name, wrote: make([][]*write, len(initial)), seen: make([][]look, len(initial))}
	for i, v := range initial {
		h.wrote[i] = []*write{{value: v, start: -1, end: -1}}
	}
	return h
}

// begin notes a write; end is set in the result later.
func (h *history) begin(first, count int, value uint64, now int) *write {
	w := &write{value: value, start: now, end: never}
	for s := first; s < first+count; s++ {
		h.wrote[s] = append(h.wrote[s], w)
	}
	return w
}

// allowed says whether a read from start to end may return value.
func (h *history) allowed(sector int, value uint64, start, end int) bool {
	for _, w := range h.wrote[sector] {
		if w.value == value && w.start < end && !h.replaced(sector, w, start) && !h.gone(sector, w, start) {
			return true
		}
	}
	return false
}

// replaced: another write began when w had ended, and was acknowledged before start.
func (h *history) replaced(sector int, w *write, start int) bool {
	for _, o := range h.wrote[sector] {
		if !o.maybe && o.start > w.end && o.end < start {
			return true
		}
	}
	return false
}

// gone: a read that began when w had ended saw something else, and ended before start.
func (h *history) gone(sector int, w *write, start int) bool {
	for _, l := range h.seen[sector] {
		if l.value != w.value && l.start > w.end && l.end < start {
			return true
		}
	}
	return false
}

// read checks what a read returned.
func (h *history) read(first int, data []byte, start, end int) {
	h.t.Helper()
	for i := 0; i*mapfmt.SectorSize < len(data); i++ {
		value, whole := sectorValue(data[i*mapfmt.SectorSize:])
		if !whole {
			h.t.Fatalf("%s: sector %d is torn at %d-%d", h.name, first+i, start, end)
		}
		if !h.allowed(first+i, value, start, end) {
			h.t.Fatalf("%s: sector %d reads as %d at %d-%d; writes: %v reads: %v",
				h.name, first+i, value, start, end, flat(h.wrote[first+i]), h.seen[first+i])
		}
		h.seen[first+i] = append(h.seen[first+i], look{value, start, end})
	}
}

func flat(w []*write) (all []write) {
	for _, x := range w {
		all = append(all, *x)
	}
	return all
}

// snapshot checks that values are those of one point in time between start and end.
func (h *history) snapshot(values []uint64, start, end int) {
	h.t.Helper()
	from := start
	for s, v := range values {
		for _, w := range h.wrote[s] {
			if w.value == v && v != 0 {
				from = max(from, w.start)
			}
		}
	}
	for s, v := range values {
		if !h.allowed(s, v, from, end) {
			h.t.Fatalf("%s: a snapshot of %d-%d has %d in sector %d; writes: %v",
				h.name, from, end, v, s, flat(h.wrote[s]))
		}
	}
}

// lostBy checks what a power cut left: whatever was acknowledged before the last good flush began
// is there, and every write with FUA that was acknowledged, or something newer.
func (h *history) lostBy(values []uint64, flushed int) {
	h.t.Helper()
	for s, v := range values {
		if !h.survived(s, v, flushed) {
			h.t.Fatalf("%s: sector %d is %d after a power cut, flushed at %d; writes: %v",
				h.name, s, v, flushed, flat(h.wrote[s]))
		}
	}
}

func (h *history) survived(sector int, value uint64, flushed int) bool {
	for _, w := range h.wrote[sector] {
		if w.value == value && !h.replaced(sector, w, flushed) && !h.replacedFUA(sector, w) {
			return true
		}
	}
	return false
}

func (h *history) replacedFUA(sector int, w *write) bool {
	for _, o := range h.wrote[sector] {
		if o.durable && o.start > w.end {
			return true
		}
	}
	return false
}

// fillSectors writes value into every 8 bytes of p.
func fillSectors(p []byte, value uint64) {
	for i := 0; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], value)
	}
}

// sectorValue reads a sector back; false if it doesn't hold one value.
func sectorValue(p []byte) (uint64, bool) {
	value := binary.LittleEndian.Uint64(p)
	for i := 8; i < mapfmt.SectorSize; i += 8 {
		if binary.LittleEndian.Uint64(p[i:]) != value {
			return 0, false
		}
	}
	return value, true
}
