package filed

import (
	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// stat tells what the name means now. Another node may have put another file in its place, so a
// descriptor whose file has no name any more goes out of the cache: whoever asks for the size
// before it reads, sees what was stored last. (A descriptor to a file that other nodes only write
// to in place stays good.)
func (s *Store) stat(op *blocker.Op) error {
	for {
		o, err := s.object(op.Name, false)
		if err != nil {
			return wrap(op.Name, "open", err)
		}
		st, err := fstat(o.fd)
		if err == nil && st.Nlink == 0 || err == unix.ESTALE { // the latter is what NFS says
			s.replaced(o)
			continue
		}
		s.unref(o)
		if err != nil {
			return wrap(op.Name, "stat", err)
		}
		op.N, op.Allocated = st.Size, st.Blocks*512
		return nil
	}
}

// replaced takes o out of the cache, if it is still what the name stands for there, and gives the
// caller's reference back.
func (s *Store) replaced(o *object) {
	st := s.stripe(o.name)
	st.Lock()
	defer st.Unlock()
	s.mu.Lock()
	cached := s.objects[o.name] == o
	s.mu.Unlock()
	if cached {
		s.drop(o.name)
	}
	s.unref(o)
}
