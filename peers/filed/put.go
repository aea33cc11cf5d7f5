package filed

import (
	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// create makes an object with its whole content, durably, unless the name is there.
func (s *Store) create(op *blocker.Op) error {
	temp, fd, err := s.temps.write(op.Data)
	if err != nil {
		return wrap(op.Name, "write", err)
	}
	path := physical(op.Name)
	err = s.dirs.inside(parent(path), func() error { return s.disk.link(temp, path) })
	if err != nil && linked(fd) {
		err = nil // over NFS the answer to the first try may get lost: the count of names tells
	}
	s.temps.discard(temp, fd)
	if err == unix.EEXIST {
		// Whoever asks again after a kill takes it for success: it has to be durable.
		if err := s.dirs.resync(path); err != nil {
			return wrap(op.Name, "sync of its directory", err)
		}
	}
	if err != nil {
		return wrap(op.Name, "create", err)
	}
	if err := s.dirs.sync(path); err != nil {
		return wrap(op.Name, "sync of its directory", err)
	}
	op.N = int64(len(op.Data))
	return nil
}

// linked tells whether a temporary file has got its name.
func linked(fd int) bool {
	st, err := fstat(fd)
	return err == nil && st.Nlink > 1
}

// replace gives a name another content, durably. Whoever reads it sees the old or the new one.
func (s *Store) replace(op *blocker.Op) error {
	s.makeRoom()
	st := s.stripe(op.Name)
	st.Lock()
	defer st.Unlock()
	from := s.spare
	if op.Flags&blocker.FlagReserve != 0 {
		from = s.last
	}
	directories := func() error { return s.dirs.make(parent(physical(op.Name))) }
	temp, fd, spare, err := from.writeTemp(op.Data, directories)
	if err != nil {
		return wrap(op.Name, "write", err)
	}
	err = s.rename(op.Name, temp, fd)
	if sentinel(err) == blocker.ErrNoSpace && !spare { // for a directory
		if temp, fd, err = from.write(op.Data, directories); err == nil {
			err = s.rename(op.Name, temp, fd)
		}
	}
	if err != nil {
		return wrap(op.Name, "replace", err)
	}
	s.refill()
	op.N = int64(len(op.Data))
	return nil
}

// rename makes the temporary file the object of that name. The name's stripe is held.
func (s *Store) rename(name, temp string, fd int) error {
	path := physical(name)
	err := s.dirs.inside(parent(path), func() error { return s.disk.rename(temp, path) })
	if err != nil {
		s.temps.discard(temp, fd)
		return err
	}
	s.drop(name)
	if err := s.dirs.sync(path); err != nil {
		unix.Close(fd)
		return err
	}
	if s.direct {
		if err := setDirect(fd); err != nil {
			unix.Close(fd) // it is durable, and opened again when it is wanted
			return nil
		}
	}
	s.unref(s.keep(name, path, fd))
	return nil
}
