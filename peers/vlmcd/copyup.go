package vlmcd

import "time"

// A write that copies on write takes only the sub-blocks that it touches: its object is then read
// from two places, and more after each snapshot. Copy-up completes such objects in the background,
// one at a time and no faster than it may; it is off unless a rate is set.

// Tuning of copy-up.
const (
	// copyUpAfter is how long the first object waits: whoever has begun to write it may go on, and
	// what is written whole need not be copied.
	copyUpAfter = time.Second
	// maxCopyUps is how many objects wait. One that finds no place is left as it is until it is
	// written again.
	maxCopyUps = 4096
)

// copyUps is the queue of objects to be completed.
type copyUps struct {
	queue   []upTask
	queued  map[upTask]bool
	running bool // an object is copied, or the time until the next one runs
	op      Op
}

// upTask names an object of a volume.
type upTask struct {
	volume UUID
	index  int64
}

// noteCopyUp queues an object that a commit has left incomplete.
func (e *Engine) noteCopyUp(o *object) {
	c := &e.copyUps
	if e.cfg.CopyUpRate <= 0 || !o.incomplete() {
		return
	}
	t := upTask{o.page.vol.uuid, o.index}
	if len(c.queue) >= maxCopyUps || c.queued[t] {
		return
	}
	if c.queued == nil {
		c.queued = map[upTask]bool{}
	}
	c.queue, c.queued[t] = append(c.queue, t), true
	if !c.running {
		c.running = true
		e.cfg.After(copyUpAfter, e.nextCopyUp)
	}
}

// incomplete says that the volume's own object is read together with others.
func (o *object) incomplete() bool { return o.own && len(o.levels) > 1 }

// nextCopyUp begins the next object. It comes from outside the loop of events.
func (e *Engine) nextCopyUp() {
	e.event(func() {
		c := &e.copyUps
		for len(c.queue) > 0 && !e.stopping {
			t := c.queue[0]
			c.queue = c.queue[1:]
			delete(c.queued, t)
			// A volume that isn't open now isn't opened for this.
			v := e.volumes[t.volume]
			if v != nil && v.open && !v.frozen && t.index<<v.objectShift < v.info.Size {
				e.copyUpObject(v, t.index)
				return
			}
		}
		c.running = false
	})
}

func (e *Engine) copyUpObject(v *volume, index int64) {
	op := &e.copyUps.op
	off := index << v.objectShift
	*op = Op{Kind: Flatten, Volume: v.uuid, Name: []byte(v.info.Name), Offset: off,
		Length: min(v.objectSize, v.info.Size-off), Done: e.copiedUp}
	op.incomplete = true
	op.vol = v
	e.begin(op)
}

// copiedUp waits as long as what was copied may take.
func (e *Engine) copiedUp(op *Op) {
	c := &e.copyUps
	if op.Err != nil {
		// The disk is full, say: that isn't the time for copies which nobody has asked for.
		c.queue = nil
		clear(c.queued)
	}
	pause := time.Duration(float64(op.Copied) / float64(e.cfg.CopyUpRate) * float64(time.Second))
	e.cfg.After(pause, e.nextCopyUp)
}
