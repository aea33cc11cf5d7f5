package model

import (
	"errors"
	"slices"
	"testing"
)

// toy counts two counters up to their ends; edges that are cut make it fail in known ways.
type toy struct {
	top    int
	bad    [2]int // state that Check refuses
	stuck  [2]int // state without a way on
	circle bool   // from the stuck state one can go round, but not on
}

func (m toy) Init() [][2]int { return [][2]int{{0, 0}} }

func (m toy) Next(s *[2]int, emit func(Step, *[2]int)) {
	if *s == m.stuck {
		if m.circle {
			emit(Step{Text: "round"}, &[2]int{s[0], -1})
		}
		emit(Step{Text: "crash", Bad: true}, &[2]int{0, 0})
		return
	}
	if s[1] == -1 {
		emit(Step{Text: "round"}, &m.stuck)
		return
	}
	for i := range s {
		if t := *s; t[i] < m.top {
			t[i]++
			emit(Step{Text: "count %d to %d", A: i, B: t[i]}, &t)
		}
	}
}

func (m toy) Check(s *[2]int) string {
	if *s == m.bad {
		return "bad"
	}
	return ""
}

func (m toy) Done(s *[2]int) bool { return s[0] == m.top && s[1] == m.top }

var nowhere = [2]int{-9, -9}

func explore(t *testing.T, m toy) Result {
	t.Helper()
	r, err := Explore[[2]int](m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestExploreVisitsEveryStateOnce(t *testing.T) {
	r := explore(t, toy{top: 9, bad: nowhere, stuck: nowhere})
	if r.Violation != nil || r.States != 100 || r.Transitions != 180 || r.Depth != 18 {
		t.Errorf("got %v", r)
	}
}

func TestExploreFindsShortestTrace(t *testing.T) {
	r := explore(t, toy{top: 9, bad: [2]int{1, 2}, stuck: nowhere})
	want := []string{"count 0 to 1", "count 1 to 1", "count 1 to 2"}
	if r.Violation == nil || !slices.Equal(r.Violation.Trace, want) {
		t.Errorf("got %v", r)
	}
}

func TestExploreFindsDeadlockDespiteCrashes(t *testing.T) {
	r := explore(t, toy{top: 3, bad: nowhere, stuck: [2]int{2, 1}})
	if r.Violation == nil || len(r.Violation.Trace) != 3 {
		t.Errorf("got %v", r)
	}
}

func TestExploreFindsLivelock(t *testing.T) {
	r := explore(t, toy{top: 3, bad: nowhere, stuck: [2]int{0, 2}, circle: true})
	if r.Violation == nil || len(r.Violation.Trace) != 2 {
		t.Errorf("got %v", r)
	}
}

func TestExploreKeepsToItsBound(t *testing.T) {
	_, err := Explore[[2]int](toy{top: 99, bad: nowhere, stuck: nowhere}, Options{MaxStates: 50})
	if !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v", err)
	}
}
