package memstore

import (
	"fmt"
	"slices"
	"strings"

	"archipelago/peers/blocker"
)

func (s *Store) read(op *blocker.Op) error {
	n := s.find(op.Name)
	if n == nil {
		return blocker.ErrNotFound
	}
	n.readAt(op.Data, op.Offset)
	op.N = int64(len(op.Data))
	return nil
}

func (s *Store) stat(op *blocker.Op) error {
	n := s.find(op.Name)
	if n == nil {
		return blocker.ErrNotFound
	}
	op.N, op.Allocated = n.size, n.allocated()
	return nil
}

// sync makes one object durable, or all that op's volume has changed; in the order of their names,
// so that a test that counts sees the same each time.
func (s *Store) sync(op *blocker.Op) error {
	if op.Name != "" {
		if n := s.find(op.Name); n != nil {
			return s.syncObject(n)
		}
		return nil
	}
	var first error
	for _, name := range s.names(func(e *entry) bool { return e.now != nil && e.now.volumes[op.Volume] }) {
		if err := s.syncObject(s.entries[name].now); err != nil && first == nil {
			first = fmt.Errorf("object %s: %w", name, err)
		}
	}
	return first
}

// syncObject makes an object and its name durable. A bad one stays so, and stays its volumes'.
func (s *Store) syncObject(n *inode) error {
	if n.bad {
		return blocker.ErrBad
	}
	if s.syncFail != nil {
		if err := s.syncFail(n.name); err != nil {
			n.bad = true
			return err
		}
	}
	n.synced()
	s.entries[n.name].synced()
	return nil
}

func (s *Store) list(op *blocker.Op) error {
	used := 0
	for _, name := range s.names(func(e *entry) bool { return e.now != nil }) {
		if name <= op.After || !strings.HasPrefix(name, op.Name) {
			continue
		}
		n, fits := blocker.PutName(op.Data, used, name)
		if !fits {
			op.More = true
			break
		}
		used = n
	}
	op.N = int64(used)
	if used == 0 && op.More {
		return blocker.ErrArgument // not even one fits: no paging would ever end
	}
	return nil
}

// names returns, in byte order, the names whose entries pass.
func (s *Store) names(pass func(*entry) bool) []string {
	var names []string
	for name, e := range s.entries {
		if pass(e) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *Store) lockRead(op *blocker.Op) error {
	l := s.locks[op.Name]
	if len(l.data) > len(op.Data) {
		return blocker.ErrArgument
	}
	op.Generation = l.generation
	op.N = int64(copy(op.Data, l.data))
	return nil
}

func (s *Store) lockAdvance(op *blocker.Op) error {
	l := s.locks[op.Name]
	if l.generation != op.Generation {
		op.Generation = l.generation
		return blocker.ErrConflict
	}
	op.Generation++
	s.locks[strings.Clone(op.Name)] = lock{op.Generation, append([]byte(nil), op.Data...)}
	return nil
}
