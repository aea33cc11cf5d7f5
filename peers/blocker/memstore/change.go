package memstore

import (
	"strings"

	"archipelago/peers/blocker"
)

// change finds or makes the object of op, runs f on it, which sets length bytes from op.Offset on,
// and marks it as changed by op's volume.
func (s *Store) change(op *blocker.Op, length int64, f func(n *inode)) error {
	return s.changeFrom(op, op.Offset, length, f)
}

// changeFrom is change of length bytes from offset on.
func (s *Store) changeFrom(op *blocker.Op, offset, length int64, f func(n *inode)) error {
	n := s.find(op.Name)
	if s.full && (n == nil || offset+length > n.size) {
		return blocker.ErrNoSpace
	}
	if n == nil {
		n = newInode(strings.Clone(op.Name))
		s.entry(op.Name).set(n)
	}
	if offset == 0 && length >= n.size {
		n.bad = false // rewritten whole
	}
	f(n)
	if n.volumes == nil {
		n.volumes = map[UUID]bool{}
	}
	n.volumes[op.Volume] = true
	if op.Flags&blocker.FlagFUA != 0 {
		return s.syncObject(n)
	}
	return nil
}

func (s *Store) write(op *blocker.Op) error {
	err := s.change(op, int64(len(op.Data)), func(n *inode) { n.write(op.Data, op.Offset) })
	if err == nil {
		op.N = int64(len(op.Data))
	}
	return err
}

func (s *Store) writeZeroes(op *blocker.Op) error {
	return s.change(op, op.Length, func(n *inode) {
		n.zeroes(op.Offset, op.Length)
		n.grow(op.Offset, op.Length)
	})
}

func (s *Store) discard(op *blocker.Op) error {
	if s.find(op.Name) == nil {
		return nil
	}
	// Clipped: it neither grows nor asks for space.
	length := max(0, min(op.Length, s.find(op.Name).size-op.Offset))
	return s.change(op, length, func(n *inode) { n.zeroes(op.Offset, length) })
}

// source returns the bytes of the range of op's source.
func (s *Store) source(op *blocker.Op) ([]byte, error) {
	src := s.find(op.Source)
	if src == nil {
		return nil, blocker.ErrNotFound
	}
	data := make([]byte, op.Length)
	src.readAt(data, op.SourceOffset)
	return data, nil
}

func (s *Store) copy(op *blocker.Op) error {
	data, err := s.source(op)
	if err != nil {
		return err
	}
	return s.change(op, op.Length, func(n *inode) { n.writeSparse(data, op.Offset) })
}

func (s *Store) fill(op *blocker.Op) error {
	data, err := s.source(op)
	if err != nil {
		return err
	}
	copy(data[op.Offset-op.SourceOffset:], op.Data)
	err = s.changeFrom(op, op.SourceOffset, op.Length, func(n *inode) { n.writeSparse(data, op.SourceOffset) })
	if err == nil {
		op.N = int64(len(op.Data))
	}
	return err
}

func (s *Store) append(op *blocker.Op) error {
	n := s.find(op.Name)
	if n == nil {
		return blocker.ErrNotFound
	}
	if op.Offset != n.size {
		op.N = n.size
		return blocker.ErrConflict
	}
	err := s.change(op, int64(len(op.Data)), func(n *inode) {
		n.append = true
		n.write(op.Data, op.Offset)
	})
	if err == nil {
		op.N = int64(len(op.Data))
	}
	return err
}

func (s *Store) create(op *blocker.Op) error {
	if s.find(op.Name) != nil {
		return blocker.ErrExists
	}
	if s.full {
		return blocker.ErrNoSpace
	}
	s.put(op)
	return nil
}

func (s *Store) replace(op *blocker.Op) error {
	old := s.find(op.Name)
	if s.full && (old == nil || int64(len(op.Data)) > old.size) {
		if s.spent {
			return blocker.ErrNoSpace
		}
		s.spent = true
	}
	s.put(op)
	return nil
}

// put makes the name mean a new object, durably.
func (s *Store) put(op *blocker.Op) {
	e := s.entry(op.Name)
	e.now = durableInode(strings.Clone(op.Name), op.Data)
	e.synced()
	op.N = int64(len(op.Data))
}

func (s *Store) truncate(op *blocker.Op) error {
	n := s.find(op.Name)
	if n == nil {
		return blocker.ErrNotFound
	}
	n.cut(op.Offset)
	op.N = n.size
	return s.syncObject(n)
}

func (s *Store) delete(op *blocker.Op) error {
	e := s.entries[op.Name]
	if e == nil || e.now == nil {
		return blocker.ErrNotFound
	}
	e.set(nil)
	if op.Flags&blocker.FlagFUA != 0 {
		delete(s.entries, op.Name)
	}
	return nil
}
