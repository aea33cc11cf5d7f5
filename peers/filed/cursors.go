package filed

import (
	"sync"
	"time"
)

// Tuning.
const (
	// cursorMax is how many listings may be under way without reading directories again. One of a
	// million names takes about 50 MB.
	cursorMax = 4
	// cursorLife is how long a listing may pause, and for how long its names take memory when
	// nobody asks for its next page. The contract allows it.
	cursorLife = time.Minute
)

// cursors are the listings between two pages.
type cursors struct {
	mu   sync.Mutex
	list []*cursor // the oldest first
}

// take returns the cursor of the listing whose next page this is, or nil. It is the caller's.
func (cs *cursors) take(prefix, after string) *cursor {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.list {
		if c.prefix == prefix && c.after == after {
			cs.remove(c)
			return c
		}
	}
	return nil
}

// put keeps a cursor for the next page.
func (cs *cursors) put(c *cursor) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.list) >= cursorMax {
		cs.remove(cs.list[0])
	}
	timer := time.AfterFunc(cursorLife, func() { cs.drop(c) })
	c.stop = func() { timer.Stop() }
	cs.list = append(cs.list, c)
}

// drop forgets a cursor whose time has come, unless somebody has taken it.
func (cs *cursors) drop(c *cursor) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.remove(c)
}

func (cs *cursors) remove(c *cursor) {
	for i, other := range cs.list {
		if other == c {
			c.stop()
			cs.list = append(cs.list[:i], cs.list[i+1:]...)
			return
		}
	}
}

// close forgets all.
func (cs *cursors) close() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for len(cs.list) > 0 {
		cs.remove(cs.list[0])
	}
}
