package stats

import (
	"archipelago/xseg"
)

// Watcher takes samples of a node's segment, one after the other, also when the node is restarted
// in between. Not safe for concurrent use.
type Watcher struct {
	name string
	seg  *xseg.Segment // nil: not joined
	last *Sample       // of seg
}

// Watch makes a watcher of the segment of that name, which need not exist yet. Close it.
func Watch(name string) *Watcher { return &Watcher{name: name} }

// Step takes a sample and returns it with the one before; with itself if there is none of this
// segment, so that nothing seems to have happened. xseg.ErrNoSegment while the node isn't running.
func (w *Watcher) Step() (before, now *Sample, err error) {
	if err := w.join(); err != nil {
		return nil, nil, err
	}
	now = Take(w.seg)
	if before = w.last; before == nil {
		before = now
	}
	w.last = now
	return before, now, nil
}

func (w *Watcher) join() (err error) {
	if w.seg != nil && w.seg.Destroyed() {
		w.Close()
	}
	if w.seg == nil {
		w.seg, err = xseg.Join(w.name)
	}
	return err
}

// Close leaves the segment. Step after it joins again.
func (w *Watcher) Close() {
	if w.seg != nil {
		_ = w.seg.Leave() // nothing was written, and nothing can be done
	}
	w.seg, w.last = nil, nil
}
