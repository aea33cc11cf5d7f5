// Package memstore is a blocker in memory, for tests. It models durability: what every process
// sees (the page cache) and what a power cut leaves are kept apart, and PowerCut makes a store of
// any outcome that the contract allows.
//
// It is deterministic: operations run one at a time, in the order of their submission, and Done is
// called before Submit returns.
package memstore

import (
	"fmt"
	"strings"
	"sync"

	"archipelago/peers/blocker"
)

// UUID names a volume.
type UUID = blocker.UUID

// entry is a name: the object that it means now (nil = none), and what a power cut could bring
// back.
type entry struct {
	now     *inode
	durable *inode
	past    []*inode // what it meant after each change since the last sync
}

func (e *entry) set(n *inode) {
	e.now = n
	e.past = append(e.past, n)
}

func (e *entry) synced() {
	e.durable, e.past = e.now, nil
}

type lock struct {
	generation uint64
	data       []byte
}

// Store is a blocker.Store. Make it with New.
type Store struct {
	mu       sync.Mutex
	entries  map[string]*entry
	locks    map[string]lock
	syncFail func(name string) error
	full     bool
	spent    bool // the reserve is
	tear     bool
	closed   bool
}

var _ blocker.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{entries: map[string]*entry{}, locks: map[string]lock{}}
}

// FailSync makes the sync of an object fail with f(name), if that isn't nil; the object is bad from
// then on, as the contract says. A nil f ends it. f runs under the store's lock: it MUST NOT call
// the store.
func (s *Store) FailSync(f func(name string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.syncFail = f
}

// SetFull makes everything that would need more space fail with ErrNoSpace, until it is called with
// false. What the contract has work on a full store works: of the Replaces that need more space a
// single one, from the reserve.
func (s *Store) SetFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full, s.spent = full, false
}

// TearSectors makes PowerCut choose for each 512 bytes of a block instead of for the block. It has
// far more outcomes then.
func (s *Store) TearSectors(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tear = on
}

// Submit runs op, and its Done before it returns.
func (s *Store) Submit(op *blocker.Op) {
	op.N, op.Allocated, op.More = 0, 0, false
	op.Err = blocker.Check(op)
	if op.Err == nil {
		op.Err = s.run(op)
	}
	op.Done(op)
}

// Close ends the store: what comes later gets ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *Store) run(op *blocker.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return wrap(op, blocker.ErrClosed)
	}
	if err := s.operation(op); err != nil {
		return wrap(op, err)
	}
	return nil
}

func wrap(op *blocker.Op, err error) error {
	if op.Kind == blocker.Sync && op.Name == "" {
		return fmt.Errorf("volume %x: %w", op.Volume, err)
	}
	return fmt.Errorf("object %s: %w", strings.Clone(op.Name), err)
}

func (s *Store) operation(op *blocker.Op) error {
	switch op.Kind {
	case blocker.Read:
		return s.read(op)
	case blocker.Write:
		return s.write(op)
	case blocker.WriteZeroes:
		return s.writeZeroes(op)
	case blocker.Discard:
		return s.discard(op)
	case blocker.Copy:
		return s.copy(op)
	case blocker.Fill:
		return s.fill(op)
	case blocker.Sync:
		return s.sync(op)
	case blocker.Stat:
		return s.stat(op)
	case blocker.Create:
		return s.create(op)
	case blocker.Replace:
		return s.replace(op)
	case blocker.Append:
		return s.append(op)
	case blocker.TruncateTail:
		return s.truncate(op)
	case blocker.Delete:
		return s.delete(op)
	case blocker.List:
		return s.list(op)
	case blocker.LockRead:
		return s.lockRead(op)
	default: // LockAdvance: Check has refused what isn't an operation
		return s.lockAdvance(op)
	}
}

// find returns the object of that name, or nil.
func (s *Store) find(name string) *inode {
	if e := s.entries[name]; e != nil {
		return e.now
	}
	return nil
}

// entry returns the entry of that name, made if need be.
func (s *Store) entry(name string) *entry {
	e := s.entries[name]
	if e == nil {
		name = strings.Clone(name)
		e = &entry{}
		s.entries[name] = e
	}
	return e
}
