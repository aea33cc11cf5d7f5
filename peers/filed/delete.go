package filed

import (
	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// delete removes an object.
func (s *Store) delete(op *blocker.Op) error {
	st := s.stripe(op.Name)
	st.Lock()
	defer st.Unlock()
	path := physical(op.Name)
	unlink := func() error { return s.disk.unlink(path) }
	durable := op.Flags&blocker.FlagFUA != 0
	var err error
	if durable {
		err = s.dirs.change(parent(path), unlink)
	} else {
		err = unlink()
	}
	if err == unix.ENOENT && durable {
		// Whoever asks again after a kill takes it for success: it has to be durable.
		if err := s.dirs.resync(path); err != nil {
			return wrap(op.Name, "sync of its directory", err)
		}
	}
	if err != nil {
		return wrap(op.Name, "delete", err)
	}
	s.drop(op.Name)
	if durable {
		if err := s.dirs.sync(path); err != nil {
			return wrap(op.Name, "sync of its directory", err)
		}
	}
	s.dirs.prune(path)
	s.refill()
	return nil
}
