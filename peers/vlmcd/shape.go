package vlmcd

import (
	"math/bits"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// What changes the shape of an entry: an object that is discarded whole leaves the map, one that is
// flattened takes over whatever it is read from.

// whole says that p gives a whole object back. It leaves the map then, whatever it shares.
func (p *piece) whole() bool { return p.all && (p.op.Kind == Discard || p.op.Kind == WriteZeroes) }

// dropped says that the object is being taken out of the map. Who would write in place waits: its
// bytes would go with the object.
func (o *object) dropped() bool { return o.work != nil && o.work.dropper != nil }

// stillFor says that nothing is under way on an object all of which p has locked. It notes p as the
// one that takes the object out, which keeps others from writing in place; p goes on when the last
// of those that do so already has ended.
func (o *object) stillFor(p *piece) bool {
	o.work.dropper = p
	p.idle = o.writers > 0
	return !p.idle
}

// drop takes the object out of the map: one COMMIT of an entry with nothing in it.
func (e *Engine) drop(p *piece) {
	v, o := p.vol, p.obj
	level := o.work.reserved
	if o.own {
		level = o.levels[0].Level
	}
	level.Mask = 0
	entry := mapfmt.Entry{NumLevels: 1}
	entry.Levels[0] = level
	o.work.committing = true
	v.commits++
	e.ask(question{then: (*Engine).dropAnswered, vol: v, obj: o,
		Op: mapper.Op{Kind: mapper.Commit, Replace: true, Volume: v.uuid, Name: v.info.Name, Index: o.index,
			Term: v.info.Term, Entry: entry}})
}

func (e *Engine) dropAnswered(q *question) {
	v, o := q.vol, q.obj
	w := o.work
	p := w.dropper
	w.dropper, w.committing, w.state = nil, false, unborn
	v.commits--
	v.commitSeq++
	err := q.Err
	if err == nil && !q.Entry.IsZero() {
		err = badAnswer("the object was discarded, but is there")
	}
	if err == nil {
		o.set(v, &mapfmt.Entry{}, v.commitSeq)
		w.overtaken = w.loading
		e.endCommitted(p)
		return
	}
	o.stale = true
	w.askFirst = mapper.Errno(err) == errStale
	l := pieceList{p, p}
	if w.askFirst {
		e.startOver(l, err)
	} else {
		e.refused(v, l, err)
	}
}

// shared says that a part of the object is read from one that belongs to another volume.
func (o *object) shared() bool {
	for i := range o.levels {
		if o.levels[i].UUID != o.page.vol.uuid {
			return true
		}
	}
	return false
}

// copyUp copies the sub-blocks that p has locked from below: a write without data of its own.
func (e *Engine) copyUp(p *piece) {
	v, o := p.vol, p.obj
	name := o.ownName()
	p.birth = o.ownBirth()
	p.calls = 1
	size := mapfmt.SubBlockSize(v.objectSize)
	for mask := p.locked & mapfmt.RealMask(v.objectSize); mask != 0; {
		first := bits.TrailingZeros64(mask)
		off := int64(first) * size
		source := o.find(first)
		n := int64(0)
		for i := first; i < mapfmt.SubBlocks && mask>>uint(i)&1 != 0 && o.find(i) == source; i++ {
			mask &^= 1 << uint(i)
			n += size
		}
		if source < 0 {
			e.blockerCall(p, blocker.Op{Kind: blocker.WriteZeroes, Name: name, Offset: off, Length: n})
			continue
		}
		p.op.Copied += n
		e.blockerCall(p, blocker.Op{Kind: blocker.Copy, Name: name, Offset: off, Length: n,
			Source: o.levels[source].name, SourceOffset: off})
	}
	e.released(p)
}
