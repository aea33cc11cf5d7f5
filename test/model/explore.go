package model

import (
	"errors"
	"fmt"
	"hash/maphash"
)

// ErrTooMany is wrapped by Explore when a model has more states than Options.MaxStates.
var ErrTooMany = errors.New("model: too many states")

// Model is a protocol on a small state.
type Model[S comparable] interface {
	// Init returns the states to begin with.
	Init() []S
	// Next calls emit for every state that one step leads to. The order must depend on s alone.
	Next(s *S, emit func(Step, *S))
	// Check returns what is wrong with s, or "". It is called once per state.
	Check(s *S) string
	// Done says that all work is finished in s.
	Done(s *S) bool
}

// Step names a transition in a trace.
type Step struct {
	Text string
	A, B int  // put into Text by fmt, if it has verbs
	Bad  bool // a crash: never counted on for progress
}

func (st Step) String() string {
	switch n := verbs(st.Text); n {
	case 0:
		return st.Text
	case 1:
		return fmt.Sprintf(st.Text, st.A)
	default:
		return fmt.Sprintf(st.Text, st.A, st.B)
	}
}

func verbs(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] == '%' {
			n++
		}
	}
	return n
}

// Options bound an exploration.
type Options struct {
	MaxStates int // 0 = two million
}

// Violation is what is wrong, and how it came to it.
type Violation struct {
	What  string
	Trace []string
}

// Result of an exploration.
type Result struct {
	States      int
	Transitions int
	Depth       int        // steps of the longest shortest path
	Violation   *Violation // nil: none
}

// origin says how a state was first reached: which step of which state.
type origin struct {
	parent int32 // -1: initial state
	nth    uint16
}

type explorer[S comparable] struct {
	m       Model[S]
	max     int
	seed    maphash.Seed
	ids     map[uint64]int32
	origins []origin
	done    []bool
	edges   [][2]int32 // ordinary steps, for the check of progress
	result  Result
	bad     int32  // first state that violates, or -1
	what    string // is wrong with it
}

// Explore visits all states of m, or stops at the first violation.
func Explore[S comparable](m Model[S], opts Options) (Result, error) {
	x := &explorer[S]{m: m, max: opts.MaxStates, seed: maphash.MakeSeed(), ids: map[uint64]int32{}, bad: -1}
	if x.max == 0 {
		x.max = 2_000_000
	}
	if err := x.run(); err != nil {
		return x.result, err
	}
	if x.bad < 0 {
		x.checkProgress()
		return x.result, nil
	}
	x.result.Violation = &Violation{What: x.what, Trace: x.trace(x.bad)}
	return x.result, nil
}

// run is the breadth-first search; it holds the states of two levels only.
func (x *explorer[S]) run() error {
	type item struct {
		id int32
		s  S
	}
	var level, next []item
	add := func(from origin, s *S) int32 {
		id, fresh := x.visit(from, s)
		if fresh {
			next = append(next, item{id, *s})
		}
		return id
	}
	for _, s := range x.m.Init() {
		add(origin{-1, uint16(len(x.origins))}, &s)
	}
	for len(next) > 0 && x.bad < 0 {
		level, next = next, level[:0]
		for i := range level {
			it, nth := &level[i], uint16(0)
			x.m.Next(&it.s, func(st Step, s *S) {
				x.result.Transitions++
				to := add(origin{it.id, nth}, s)
				nth++
				if !st.Bad && to != it.id {
					x.edges = append(x.edges, [2]int32{it.id, to})
				}
			})
			if x.bad >= 0 {
				return nil
			}
			if len(x.origins) > x.max {
				return fmt.Errorf("%w: more than %d", ErrTooMany, x.max)
			}
		}
		if len(next) > 0 {
			x.result.Depth++
		}
	}
	return nil
}

// visit remembers s and checks it if it is new.
func (x *explorer[S]) visit(from origin, s *S) (int32, bool) {
	h := maphash.Comparable(x.seed, *s)
	if id, ok := x.ids[h]; ok {
		return id, false
	}
	id := int32(len(x.origins))
	x.ids[h] = id
	x.origins = append(x.origins, from)
	x.done = append(x.done, x.m.Done(s))
	x.result.States++
	if what := x.m.Check(s); what != "" && x.bad < 0 {
		x.bad, x.what = id, what
	}
	return id, true
}

// trace finds the steps that led to state id by taking them once more.
func (x *explorer[S]) trace(id int32) []string {
	var path []origin
	for i := id; ; i = x.origins[i].parent {
		path = append(path, x.origins[i])
		if x.origins[i].parent < 0 {
			break
		}
	}
	s := x.m.Init()[path[len(path)-1].nth]
	var steps []string
	for i := len(path) - 2; i >= 0; i-- {
		step, to := x.nthStep(s, int(path[i].nth))
		steps, s = append(steps, step.String()), to
	}
	return steps
}

func (x *explorer[S]) nthStep(from S, nth int) (step Step, to S) {
	i := 0
	x.m.Next(&from, func(st Step, s *S) {
		if i == nth {
			step, to = st, *s
		}
		i++
	})
	return step, to
}
