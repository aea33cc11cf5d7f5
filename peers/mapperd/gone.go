package mapperd

import (
	"errors"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
)

// deleteAtOnce is how many objects are deleted at the same time in the background. Tuning.
const deleteAtOnce = 64

// deleteObjects deletes, in the background, objects that no durable map names any more and that
// nobody but their volume could refer to. What is left by an error, a kill or the end of the engine
// is garbage, which the collector finds.
func (e *Engine) deleteObjects(objects []mapfmt.ObjectID) {
	if len(objects) == 0 || !e.begin() {
		return
	}
	go func() {
		defer e.work.Done()
		for len(objects) > 0 && e.ctx.Err() == nil {
			n := min(len(objects), deleteAtOnce)
			e.deleteSome(objects[:n])
			objects = objects[n:]
		}
	}()
}

func (e *Engine) deleteSome(objects []mapfmt.ObjectID) {
	ops := make([]*blocker.Op, len(objects))
	for i, o := range objects {
		ops[i] = &blocker.Op{Kind: blocker.Delete, Volume: o.UUID, Name: mapfmt.ObjectName(o)}
	}
	for i, err := range e.doAll(e.cfg.Blocks, ops) {
		if err != nil && !errors.Is(err, blocker.ErrNotFound) {
			e.cfg.Log.Warn("object without a use is left", "object", ops[i].Name, "error", err)
		}
	}
}
