// Package faultstore wraps a blocker and makes it misbehave, for tests: errors, delays and hangs
// chosen by operation, name and count; and hooks around every operation, numbered, from which a
// test cuts the power at each of them in turn.
package faultstore

import (
	"fmt"
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

	Delay time.Duration // before it runs
	Hang  bool          // it isn't run before Release
	Err   error         // it fails with Err instead of running ...
	Late  bool          // ... or is run first, and then fails: the answer was lost
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
	}
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
			s.run(n, rule, op)
		}()
	case rule.Delay > 0:
		time.AfterFunc(rule.Delay, func() { s.run(n, rule, op) })
	default:
		s.run(n, rule, op)
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
			if past >= 0 && (r.Times == 0 || past < r.Times) {
				return r.Rule
			}
		}
	}
	return Rule{}
}

func (s *Store) run(n int, rule Rule, op *blocker.Op) {
	if rule.Err != nil && !rule.Late {
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
