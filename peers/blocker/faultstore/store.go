// Package faultstore wraps a blocker and makes it misbehave, for tests:
//
//   - Inject: errors before or after the operation, short operations, delays and hangs, chosen by
//     kind, name, count and chance;
//   - Before and After: hooks around every operation, numbered, from which a test cuts the power at
//     each of them in turn;
//   - PowerCut: over a memstore, the store that a power cut now would leave: any subset of what
//     wasn't synced is lost, unsynced appends are torn, all of it decided by a seed;
//   - Stop: the wrapped store is out of reach from then on, as if the process had been killed.
//
// What is left to chance goes by the seed of Seed alone: the same operations in the same order
// misbehave in the same way.
package faultstore

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"archipelago/peers/blocker"
)

// Rule says which operations misbehave, and how. Its zero value matches every operation and does
// nothing.
type Rule struct {
	Kind   blocker.Kind // 0: any
	Prefix string       // of the operation's Name
	Nth    int          // the first match that misbehaves, counted from 1; 0 = the first
	Times  int          // how many do; 0 = all from then on
	Chance float64      // of each of those, between 0 and 1; 0 = they all do

	Delay time.Duration // before it runs
	Hang  bool          // it isn't run before Release
	Err   error         // it fails with Err instead of running ...
	Late  bool          // ... or is run first, and then fails: the answer was lost ...
	Short bool          // ... or is run for a part of its range first; nil Err: EIO
}

// Store is a blocker.Store around another one. Safe for use by many goroutines.
type Store struct {
	inner blocker.Store

	mu       sync.Mutex
	rules    []*armed
	counts   map[blocker.Kind]int
	total    int
	before   func(n int, op *blocker.Op) error
	after    func(n int, op *blocker.Op)
	released chan struct{}
	random   *rand.Rand
	stopped  bool
}

type armed struct {
	Rule
	matches int
}

var _ blocker.Store = (*Store)(nil)

// Wrap returns a store that passes everything on to inner, until it is told otherwise.
func Wrap(inner blocker.Store) *Store {
	return &Store{
		inner:    inner,
		counts:   map[blocker.Kind]int{},
		released: make(chan struct{}),
		random:   newRandom(1),
	}
}

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// Seed begins the choices of Chance and Short anew; without it they are those of seed 1.
func (s *Store) Seed(seed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.random = newRandom(seed)
}

// Inject adds a rule. The first one that matches and fires decides.
func (s *Store) Inject(r Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, &armed{Rule: r})
}

// Clear drops all rules. Operations that hang go on hanging.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

// Release lets the operations that hang run.
func (s *Store) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.released)
	s.released = make(chan struct{})
}

// Before sets a hook that runs in Submit, before operation n (counted from 1); the operation fails
// with its error instead of running, if there is one. The hook may submit to the inner store.
func (s *Store) Before(f func(n int, op *blocker.Op) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// After sets a hook that runs when operation n has ended in the inner store, before Done.
func (s *Store) After(f func(n int, op *blocker.Op)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = f
}

// Stop cuts the wrapped store off: what is submitted later, hangs or is delayed fails with
// ErrClosed and changes nothing any more.
func (s *Store) Stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.Release()
}

func (s *Store) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// Count returns how many operations of that kind were submitted, failed ones included.
func (s *Store) Count(kind blocker.Kind) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[kind]
}

// Total returns how many operations were submitted.
func (s *Store) Total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// Submit runs op as the rules and hooks say.
func (s *Store) Submit(op *blocker.Op) {
	s.mu.Lock()
	s.total++
	s.counts[op.Kind]++
	n, before, released := s.total, s.before, s.released
	rule := s.match(op)
	part := s.random.Float64()
	s.mu.Unlock()
	if before != nil {
		if err := before(n, op); err != nil {
			fail(op, err)
			return
		}
	}
	switch {
	case rule.Hang:
		go func() {
			<-released
			s.run(n, rule, part, op)
		}()
	case rule.Delay > 0:
		time.AfterFunc(rule.Delay, func() { s.run(n, rule, part, op) })
	default:
		s.run(n, rule, part, op)
	}
}

// Close closes the inner store.
func (s *Store) Close() error { return s.inner.Close() }

// match returns the first rule that fires for op. The lock is held.
func (s *Store) match(op *blocker.Op) Rule {
	for _, r := range s.rules {
		if (r.Kind == 0 || r.Kind == op.Kind) && strings.HasPrefix(op.Name, r.Prefix) {
			r.matches++
			past := r.matches - max(r.Nth, 1)
			if past >= 0 && (r.Times == 0 || past < r.Times) &&
				(r.Chance == 0 || s.random.Float64() < r.Chance) {
				return r.Rule
			}
		}
	}
	return Rule{}
}

func (s *Store) run(n int, rule Rule, part float64, op *blocker.Op) {
	switch {
	case s.isStopped():
		fail(op, blocker.ErrClosed)
		return
	case rule.Short:
		s.runShort(rule, part, op)
		return
	case rule.Err != nil && !rule.Late:
		fail(op, rule.Err)
		return
	}
	done := op.Done
	op.Done = func(op *blocker.Op) {
		op.Done = done
		s.mu.Lock()
		after := s.after
		s.mu.Unlock()
		if after != nil {
			after(n, op)
		}
		if rule.Err != nil {
			op.Err = named(op, rule.Err)
		}
		done(op)
	}
	s.inner.Submit(op)
}

func fail(op *blocker.Op, err error) {
	op.N, op.Allocated, op.More = 0, 0, false
	op.Err = named(op, err)
	op.Done(op)
}

func named(op *blocker.Op, err error) error {
	return fmt.Errorf("object %s: injected: %w", strings.Clone(op.Name), err)
}
