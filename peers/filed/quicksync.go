package filed

import (
	"sync/atomic"
	"time"

	"archipelago/peers/blocker"
)

// Tuning of syncs that are served in Submit. A hand-over to a thread of the pool and the sleep of
// the caller's meanwhile cost two wake-ups, which take as long as a third of a sync by a quick disk.
// But nobody else is served meanwhile, so that it is for whoever has the store to himself: writes,
// syncs, and waits for that.
const (
	// quickSync is how long syncs may take of late.
	quickSync = 500 * time.Microsecond
	// quickBetween is how many other operations there may have been since the last sync.
	quickBetween = 4
	// quickBytes is how much of the object may have been written since it was synced.
	quickBytes = 128 << 10
)

// syncPace is what the past says about the next sync.
type syncPace struct {
	usual  atomic.Int64 // how long one takes of late, in ns; 0 = nobody knows
	others atomic.Int64 // operations since the last one
}

// took learns from a sync.
func (p *syncPace) took(d time.Duration) {
	usual := p.usual.Load()
	if usual == 0 {
		p.usual.Store(int64(d))
		return
	}
	p.usual.Store(usual + (int64(d)-usual)/8) // an update lost to another worker does no harm
}

// quick tells whether a sync that is submitted now may be served at once.
func (p *syncPace) quick() bool {
	usual, others := p.usual.Load(), p.others.Swap(0)
	return others <= quickBetween && usual > 0 && usual <= int64(quickSync)
}

// syncAtOnce serves a Sync of nothing, and one of a single object if that is likely to be quick;
// false if it hasn't.
func (s *Store) syncAtOnce(op *blocker.Op) bool {
	quick := s.pace.quick() && s.inFlight.Load() == 1 // op itself
	if !s.recovered.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inherited) > 0 { // they are bad
		return false
	}
	if op.Name == "" && len(s.dirty[op.Volume]) == 0 {
		return true
	}
	o := s.onlyDirty(op)
	if !quick || o == nil || !s.isQuick(o) {
		return false
	}
	s.syncHere(o)
	if o.bad != nil {
		op.Err = syncFailed(o, o.bad)
	}
	return true
}

// isQuick tells whether the sync of an object is one fdatasync of little. s.mu is held.
func (s *Store) isQuick(o *object) bool {
	return o.dirty() && o.bad == nil && o.running == nil && o.next == nil && o.written <= quickBytes &&
		s.dirs.clean(o.path)
}

// onlyDirty returns the object that op is about if that is one. s.mu is held.
func (s *Store) onlyDirty(op *blocker.Op) *object {
	if op.Name != "" {
		return s.objects[op.Name]
	}
	set := s.dirty[op.Volume]
	if len(set) != 1 {
		return nil
	}
	for o := range set {
		return o
	}
	return nil
}
