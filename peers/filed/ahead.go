package filed

// Tuning of syncs ahead of need.
const (
	// aheadRuns is how many run at once.
	aheadRuns = 4
	// aheadLook is how many objects that can't be synced now are passed over for one that can.
	aheadLook = 16
)

// aheadAbove is how many objects of a cache may be dirty before the oldest of them are synced though
// nobody asks.
func aheadAbove(capacity int) int { return capacity / 4 * 3 }

// syncAhead has the objects that have been dirty for longest synced in the background while so many
// are dirty that their descriptors may be needed soon: an object that isn't clean can't be closed,
// and whoever opened one more would have to wait for a sync, one for each object he opens. s.mu is
// held.
func (s *Store) syncAhead() {
	for !s.closed.Load() && s.ahead < aheadRuns && s.unsynced.len-s.ahead > aheadAbove(s.capacity) {
		o := s.oldestUnsynced()
		if o == nil {
			return
		}
		s.ahead++
		o.next = &syncRun{ahead: true, done: make(chan struct{})}
		s.schedule(o)
	}
}

// oldestUnsynced returns the object that has been dirty for longest and isn't in use, without a
// sync under way or failed; or nil. Whatever was looked at becomes the youngest. s.mu is held.
func (s *Store) oldestUnsynced() *object {
	for range min(aheadLook, s.unsynced.len) {
		o := s.unsynced.oldest
		s.unsynced.use(o)
		if o.refs == 0 && o.bad == nil && o.running == nil && o.next == nil {
			return o
		}
	}
	return nil
}
