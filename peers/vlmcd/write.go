package vlmcd

import (
	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
)

// modify goes on with a piece that changes bytes, from wherever it stands: it looks at nothing but
// the present translation and the locks that the piece holds, so it may be called again whenever
// one of them has changed.
func (e *Engine) modify(p *piece) {
	o := p.obj
	present := o.present()
	if p.op.Kind != Write && !e.trim(p, present) {
		e.endUnneeded(p)
		return
	}
	touched := p.touched()
	need := touched &^ present
	switch {
	case p.whole():
		need = mapfmt.FullMask
	case need == 0 && o.dropped():
		need = touched // wait for what becomes of the object
	case need == 0:
		e.unlock(p)
		e.inPlace(p)
		return
	}
	if !e.lock(p, need) || p.whole() && !o.stillFor(p) {
		return
	}
	// An own object that the map names already needs no MAPW: its birth is known, and a commit
	// under another epoch or term is refused. Only after that the mapper is asked, which may have
	// been restarted and takes the lock again for what begins a write.
	if o.own && !o.work.askFirst || o.work.state == born {
		e.change(p)
		return
	}
	e.reserve(p)
}

// touched returns the sub-blocks that p is about.
func (p *piece) touched() uint64 {
	size := p.vol.objectSize
	if p.op.Kind == Flatten {
		return mapfmt.TouchedMask(size, 0, size)
	}
	return mapfmt.TouchedMask(size, p.off, p.n)
}

// change begins what p does to the own object, which it has locked.
func (e *Engine) change(p *piece) {
	switch {
	case p.whole():
		e.drop(p)
	case p.op.Kind == Flatten:
		e.copyUp(p)
	default:
		e.fill(p)
	}
}

// endUnneeded ends a piece that asks for what is there already: zeros, an object of its own. That
// it is there may not be durable yet.
func (e *Engine) endUnneeded(p *piece) {
	v := p.vol
	if p.op.Flags&FlagFUA != 0 && v.commitSeq > v.flushed {
		p.op.needFlush = true
	}
	e.endPiece(p, nil)
}

// trim takes from a piece that makes zeros what needs no change; false if nothing is left. What
// reads as zeros already stays as it is, and a discard leaves alone the parts of a sub-block that
// isn't in an own object: there is nothing to give back, and zeros would cost a copy.
func (e *Engine) trim(p *piece, present uint64) bool {
	v, o := p.vol, p.obj
	switch {
	case len(o.levels) == 0:
		return false
	case p.op.incomplete:
		return o.incomplete()
	case p.op.Kind == Flatten:
		return o.shared()
	case p.op.Kind == WriteZeroes || p.whole():
		return true
	}
	size := mapfmt.SubBlockSize(v.objectSize)
	end := p.off + p.n
	if p.off%size != 0 && present>>uint(v.subBlock(p.off))&1 == 0 {
		p.off += size - p.off%size
	}
	if end%size != 0 && end > p.off && present>>uint(v.subBlock(end))&1 == 0 {
		end -= end % size
	}
	p.n = end - p.off
	return p.n > 0
}

// inPlace does the whole piece in the volume's own object.
func (e *Engine) inPlace(p *piece) {
	o := p.obj
	op := blocker.Op{Kind: dataKinds[p.op.Kind], Name: o.levels[0].name, Offset: p.off, Length: p.n, Data: p.data}
	if p.op.Flags&FlagFUA != 0 {
		if o.seq > p.vol.flushed {
			// The entry may be only in the pending log: durable data that no durable entry names
			// is lost in a power cut.
			p.op.needFlush = true
		} else {
			op.Flags = blocker.FlagFUA
		}
	}
	p.writing = true
	o.writers++
	o.page.pins++
	e.blockerCall(p, op)
}

// written ends a write in place.
func (e *Engine) written(p *piece) {
	o := p.obj
	p.writing = false
	o.writers--
	o.page.pins--
	if w := o.work; o.writers == 0 && w != nil && w.dropper != nil && w.dropper.idle {
		w.dropper.idle = false
		e.runnable.push(w.dropper)
	}
}

var dataKinds = [...]blocker.Kind{
	Write: blocker.Write, WriteZeroes: blocker.WriteZeroes, Discard: blocker.Discard,
}

// fill copies what the sub-blocks of p lack, and writes p: in one call where one object is below,
// else side by side.
//
// That is safe: the ranges share no byte, a store keeps writes apart that don't overlap (guests
// write neighbouring sectors at once), what is copied from never changes, and nobody reads these
// sub-blocks here before the commit, which waits for all of the calls. The locks keep out others
// that would copy over what p writes.
func (e *Engine) fill(p *piece) {
	v, o := p.vol, p.obj
	p.birth = o.ownBirth()
	p.calls = 1
	size := mapfmt.SubBlockSize(v.objectSize)
	end := p.off + p.n
	op := blocker.Op{Kind: blocker.Write, Name: o.ownName(), Offset: p.off, Length: p.n, Data: p.data}
	if p.op.Kind != Write {
		// Not Discard: it makes no object, and one that a commit names must be there.
		op.Kind = blocker.WriteZeroes
	}
	if head := p.off % size; head != 0 && p.locks(v.subBlock(p.off)) {
		e.complete(p, &op, p.off-head, head)
	}
	if tail := end % size; tail != 0 && p.locks(v.subBlock(end)) {
		e.complete(p, &op, end, size-tail)
	}
	e.blockerCall(p, op)
	e.released(p)
}

// complete brings [off, off+n) of a sub-block that p covers partly into the own object: with the
// write of p if that has no other source yet, else by a call beside it.
func (e *Engine) complete(p *piece, write *blocker.Op, off, n int64) {
	o := p.obj
	name, source := write.Name, o.below(p.vol.subBlock(off))
	switch {
	case source != "" && write.Kind == blocker.Write:
		write.Kind, write.Source = blocker.Fill, source
		write.SourceOffset = min(off, p.off)
		write.Length = p.n + n
	case source != "" && write.Kind == blocker.Fill && write.Source == source:
		write.Length += n // the head is there: this is the tail
	case source != "":
		e.blockerCall(p, blocker.Op{Kind: blocker.Copy, Name: name, Offset: off, Length: n,
			Source: source, SourceOffset: off})
	case len(o.levels) > 0:
		// Zeros, but a write that failed or whose engine was killed may have left its bytes in
		// the own object. One that replaces nothing is abandoned after a failure instead.
		e.blockerCall(p, blocker.Op{Kind: blocker.WriteZeroes, Name: name, Offset: off, Length: n})
	}
}

// fillInParts does what a blocker refused to do in one call: one of an older version, while a node
// changes from one version to another. Its client mustn't see an error of that.
func (e *Engine) fillInParts(p *piece, op blocker.Op) {
	end := op.Offset + int64(len(op.Data))
	for _, part := range [][2]int64{{op.SourceOffset, op.Offset}, {end, op.SourceOffset + op.Length}} {
		if off, n := part[0], part[1]-part[0]; n > 0 {
			e.blockerCall(p, blocker.Op{Kind: blocker.Copy, Name: op.Name, Offset: off, Length: n,
				Source: op.Source, SourceOffset: off})
		}
	}
	e.blockerCall(p, blocker.Op{Kind: blocker.Write, Name: op.Name, Offset: op.Offset,
		Length: int64(len(op.Data)), Data: op.Data})
}

func (p *piece) locks(sub int) bool { return p.locked>>uint(sub)&1 != 0 }
