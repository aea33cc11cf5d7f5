package vlmcd

import (
	"fmt"
	"math/bits"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// mergeState is a merge under way: an entry holds three levels, so an object born above three
// others takes over what shows of one of them before anything else is written into it.
type mergeState struct {
	entry mapfmt.Entry // to be committed
	calls int
	err   error
}

// merge copies what shows of the chosen level into the reserved object and commits that.
// All sub-blocks are as good as locked: nothing is written in place, because the own object is
// new, and whoever holds a lock waits for the reservation.
func (e *Engine) merge(o *object, entry *mapfmt.Entry) {
	v, w := o.page.vol, o.work
	lvl, mask := entry.MergeChoice(v.objectSize)
	w.state = merging
	w.merge = mergeState{entry: entry.WithoutLevel(lvl), calls: 1}
	w.merge.entry.Levels[0].Mask = mask
	source := o.levels[lvl-1].name // the translation is the entry without its level 0
	size := mapfmt.SubBlockSize(v.objectSize)
	for mask != 0 {
		first := bits.TrailingZeros64(mask)
		count := bits.TrailingZeros64(^(mask >> uint(first)))
		mask &^= (1<<uint(count) - 1) << uint(first)
		e.mergeCopy(o, source, int64(first)*size, int64(count)*size)
	}
	e.mergeCopied(o, nil)
}

func (e *Engine) mergeCopy(o *object, source string, off, n int64) {
	v, w := o.page.vol, o.work
	c := e.newCall()
	c.merge = o
	c.Kind, c.Volume, c.Term, c.Name = blocker.Copy, v.uuid, v.info.Term, w.name
	c.Offset, c.Length, c.Source, c.SourceOffset = off, n, source, off
	w.merge.calls++
	e.underWay++
	e.cfg.Blocks.Submit(&c.Op)
}

// mergeCopied takes the end of one copy; after the last the entry is committed.
func (e *Engine) mergeCopied(o *object, err error) {
	v, w := o.page.vol, o.work
	if w.merge.err == nil {
		w.merge.err = err
	}
	if w.merge.calls--; w.merge.calls > 0 {
		return
	}
	entry, err := w.merge.entry, w.merge.err
	w.merge = mergeState{}
	switch {
	case err == nil:
		e.sendCommit(v, o, entry.Normalize(v.objectSize))
	case blocker.Errno(err) == errNoObject:
		// The level may have been merged away and collected meanwhile.
		e.commitRefused(o, fmt.Errorf("%w: merge: %w", mapper.ErrStale, err))
	case blocker.Errno(err) == errStale:
		e.commitRefused(o, err)
	default:
		e.commitRefused(o, blockerFailure(err))
	}
}
