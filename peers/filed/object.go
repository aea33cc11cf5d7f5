package filed

import (
	"hash/maphash"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// object is a file with its descriptor open. Its fields belong to Store.mu, but name, path and fd
// don't change while somebody holds a reference.
type object struct {
	name string
	path string
	fd   int

	refs    int  // operations and syncs that use fd
	dropped bool // replaced or deleted: out of the cache, closed with its last reference

	links [inLists]links // in the lists of objects

	changes
	volumes []UUID   // those in whose dirty sets it is
	slots   []uint32 // in the tracker's list, of each volume
	written int64    // bytes, since the last sync began
	bad     error    // of the sync that failed
	running *syncRun // the sync that runs
	next    *syncRun // the one that follows it

	blocks spans // that writes lock, in a store that is direct
}

// stripe returns the lock that serialises what makes a name mean another file, or judges its size.
func (s *Store) stripe(name string) *stripe {
	return &s.stripes[maphash.String(s.seed, name)%uint64(len(s.stripes))]
}

// cached returns the object of that name if its descriptor is open, with a reference; else nil.
func (s *Store) cached(name string) *object {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[name]
	if o != nil {
		o.refs++
		s.lru.use(o)
	}
	return o
}

// cachedForChange is cached and begin in one.
func (s *Store) cachedForChange(name string, volume UUID, length int64) *object {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[name]
	if o == nil || o.bad != nil { // a bad one needs a closer look: not here
		return nil
	}
	o.refs++
	s.lru.use(o)
	s.begin(o, volume, length)
	return o
}

// object returns the object of that name with a reference, opened if need be, made if create is
// set. Blocks. The name's stripe is not held.
func (s *Store) object(name string, create bool) (*object, error) {
	if o := s.cached(name); o != nil {
		return o, nil
	}
	s.makeRoom()
	// A file that is opened here must not be replaced before it is in the cache: the cache would
	// keep the old one.
	st := s.stripe(name)
	st.Lock()
	defer st.Unlock()
	return s.objectLocked(name, create)
}

// objectLocked is object with the name's stripe held.
func (s *Store) objectLocked(name string, create bool) (*object, error) {
	if o := s.cached(name); o != nil {
		return o, nil
	}
	path := physical(name)
	fd, err := s.openFile(path, 0)
	if err == unix.ENOENT && create {
		fd, err = s.makeFile(path)
	}
	if err != nil {
		return nil, err
	}
	return s.keep(name, path, fd), nil
}

// openFile opens an object's file for reading and writing. When it was read last is of use to nobody,
// and to note it costs each read a look, and some a write to the disk.
func (s *Store) openFile(path string, flags int) (int, error) {
	flags |= unix.O_RDWR
	if s.direct {
		flags |= unix.O_DIRECT
	}
	fd, err := s.disk.open(path, flags|unix.O_NOATIME)
	if err == unix.EPERM { // the file belongs to somebody else
		fd, err = s.disk.open(path, flags)
	}
	return fd, err
}

func (s *Store) makeFile(path string) (fd int, err error) {
	err = s.dirs.inside(parent(path), func() error {
		fd, err = s.openFile(path, unix.O_CREAT)
		return err
	})
	return fd, err
}

// keep puts an open file into the cache, with a reference. The name's stripe is held.
func (s *Store) keep(name, path string, fd int) *object {
	o := &object{name: strings.Clone(name), path: path, fd: fd, refs: 1}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[o.name] = o
	s.lru.add(o)
	s.adopt(o, errBefore)
	return o
}

// drop takes what the name meant out of the cache: it means another file now, or none. The name's
// stripe is held.
func (s *Store) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disinherit(name)
	o := s.objects[name]
	if o == nil {
		return
	}
	o.refs++
	s.forget(o)
	s.unrefLocked(o)
}

// forget takes an object out of the cache and of all dirty sets. s.mu is held.
func (s *Store) forget(o *object) {
	delete(s.objects, o.name)
	s.lru.remove(o)
	s.undirty(o)
	o.dropped = true
}

func (s *Store) unref(o *object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unrefLocked(o)
}

func (s *Store) unrefLocked(o *object) {
	o.refs--
	if o.refs == 0 && o.dropped {
		unix.Close(o.fd) // nothing of it is wanted any more: its errors don't matter
	}
}

// begin marks an object as dirty for a volume, before length bytes of it are changed. s.mu is held.
func (s *Store) begin(o *object, volume UUID, length int64) {
	o.begin()
	o.written += length
	if o.dropped || slices.Contains(o.volumes, volume) {
		return
	}
	slot := s.track.take(volume, o.name)
	if o.bad != nil {
		s.track.setBad(slot, true)
	}
	s.addDirty(o, volume, slot)
}

// addDirty puts an object into a volume's dirty set. s.mu is held.
func (s *Store) addDirty(o *object, volume UUID, slot uint32) {
	if len(o.volumes) == 0 {
		s.unsynced.add(o)
		s.syncAhead()
	}
	o.volumes = append(o.volumes, volume)
	o.slots = append(o.slots, slot)
	set := s.dirty[volume]
	if set == nil {
		set = map[*object]struct{}{}
		s.dirty[volume] = set
	}
	set[o] = struct{}{}
}

// undirty takes an object out of the dirty sets. s.mu is held.
func (s *Store) undirty(o *object) {
	if len(o.volumes) > 0 {
		s.unsynced.remove(o)
	}
	for _, v := range o.volumes {
		set := s.dirty[v]
		delete(set, o)
		if len(set) == 0 {
			delete(s.dirty, v)
		}
	}
	for _, slot := range o.slots {
		s.track.release(slot)
	}
	o.volumes, o.slots = o.volumes[:0], o.slots[:0]
}

// setBad notes that a sync has failed, or with nil that the object is good again. s.mu is held.
func (s *Store) setBad(o *object, err error) {
	o.bad = err
	for _, slot := range o.slots {
		s.track.setBad(slot, err != nil)
	}
}

// beginChange is begin; endChange or finishChange ends it.
func (s *Store) beginChange(o *object, volume UUID, length int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(o, volume, length)
}

// endChange ends a change and gives the reference back.
func (s *Store) endChange(o *object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.end()
	s.unrefLocked(o)
}

// finishChange is endChange for an operation that has succeeded. whole tells that nothing of the
// old content is left. With durable it may return true: a sync will end op, and may have done so
// already.
func (s *Store) finishChange(o *object, op *blocker.Op, whole, durable bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.unrefLocked(o)
	o.end()
	if whole && o.bad != nil {
		s.setBad(o, nil)
	}
	if !durable {
		return false
	}
	s.join(o, &syncJob{op: op}) // it is dirty: its change has just ended
	return true
}

// mustSync tells whether the change that op makes has to be durable when it ends.
func (s *Store) mustSync(op *blocker.Op) bool {
	return s.writethrough || op.Flags&blocker.FlagFUA != 0
}
