package model

import (
	"fmt"
	"strings"
)

// String is one line with the numbers of the exploration, and the trace of a violation.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d states, %d transitions, depth %d", r.States, r.Transitions, r.Depth)
	if r.Violation == nil {
		return b.String()
	}
	fmt.Fprintf(&b, ": %s after %d steps", r.Violation.What, len(r.Violation.Trace))
	for i, step := range r.Violation.Trace {
		fmt.Fprintf(&b, "\n  %2d. %s", i+1, step)
	}
	return b.String()
}
