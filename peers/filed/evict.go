package filed

import "golang.org/x/sys/unix"

// evictLook is how many of the oldest objects are looked at for a clean one before a dirty one is
// synced for its descriptor's sake.
const evictLook = 64

// makeRoom closes descriptors until there is room for one more. A dirty object is synced first:
// whoever opens files faster than they can be synced waits here. Objects in use, and bad ones, stay:
// the bound is exceeded rather than an error lost.
func (s *Store) makeRoom() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.lru.len >= s.capacity {
		if o := s.cleanVictim(); o != nil {
			s.evict(o)
			continue
		}
		o := s.dirtyVictim()
		if o == nil {
			return
		}
		s.syncHere(o)
		if o.dirty() {
			return // it failed, or was written again: then it isn't old any more
		}
	}
}

// cleanVictim returns an old object that can be closed at once, or nil.
func (s *Store) cleanVictim() *object {
	o := s.lru.oldest
	for range evictLook {
		if o == nil {
			return nil
		}
		if o.refs == 0 && !o.dirty() { // so it isn't bad either
			return o
		}
		o = s.lru.newer(o)
	}
	return nil
}

// dirtyVictim returns the oldest object that can be closed after a sync, or nil.
func (s *Store) dirtyVictim() *object {
	o := s.lru.oldest
	for range evictLook {
		if o == nil {
			return nil
		}
		if o.refs == 0 && o.bad == nil {
			return o
		}
		o = s.lru.newer(o)
	}
	return nil
}

func (s *Store) evict(o *object) {
	s.forget(o)
	unix.Close(o.fd) // clean: there is no error left that it could tell
}
