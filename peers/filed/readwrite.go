package filed

import (
	"archipelago/peers/blocker"
)

// readCached serves a read whose descriptor and pages are cached; false if they aren't.
func (s *Store) readCached(op *blocker.Op) bool {
	o := s.cached(op.Name)
	if o == nil {
		return false
	}
	err := readNowait(o.fd, op.Data, op.Offset)
	s.unref(o)
	if err != nil {
		return false // the pool finds out whether it is an error
	}
	op.N = int64(len(op.Data))
	return true
}

func (s *Store) read(op *blocker.Op) error {
	o, err := s.object(op.Name, false)
	if err != nil {
		return wrap(op.Name, "open", err)
	}
	defer s.unref(o)
	if err := s.readAt(o, op.Data, op.Offset); err != nil {
		return wrap(op.Name, "read", err)
	}
	op.N = int64(len(op.Data))
	return nil
}

// writeCached serves a write to an object whose descriptor is cached; false if it isn't.
func (s *Store) writeCached(op *blocker.Op) bool {
	o := s.cachedForChange(op.Name, op.Volume, int64(len(op.Data)))
	if o == nil {
		return false
	}
	err := s.disk.writeBuffered(o.fd, o.path, op.Data, op.Offset)
	s.endChange(o)
	if err != nil {
		op.Err = wrap(op.Name, "write", err)
		return true
	}
	op.N = int64(len(op.Data))
	return true
}

func (s *Store) write(op *blocker.Op) (bool, error) {
	return s.change(op, "write", true, int64(len(op.Data)), func(o *object) error {
		op.N = int64(len(op.Data)) // here, because op may have ended when change returns
		return s.writeAt(o, op.Data, op.Offset)
	})
}

// change runs f, which sets length bytes of op's object from target on; it makes the object
// first if create is set. It returns true if a sync will end op.
func (s *Store) change(op *blocker.Op, action string, create bool, length int64,
	f func(o *object) error) (bool, error) {
	o, err := s.object(op.Name, create)
	if err != nil {
		return false, wrap(op.Name, "open", err)
	}
	s.beginChange(o, op.Volume, length)
	whole, err := s.coversWhole(o, target(op), length)
	if err == nil {
		err = f(o)
	}
	if err != nil {
		op.N = 0
		s.endChange(o)
		return false, wrap(op.Name, action, err)
	}
	return s.finishChange(o, op, whole, s.mustSync(op)), nil
}

// coversWhole tells whether a change leaves nothing of an object that is bad: it is good again
// then.
func (s *Store) coversWhole(o *object, offset, length int64) (bool, error) {
	s.mu.Lock()
	bad := o.bad != nil
	s.mu.Unlock()
	if !bad || offset != 0 {
		return false, nil
	}
	st, err := fstat(o.fd)
	return length >= st.Size, err
}
