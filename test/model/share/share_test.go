package share

import (
	"testing"

	"archipelago/test/model"
)

// explore tries both orders of the listing, with and without a rename, and returns the first
// violation, if there is one.
func explore(t *testing.T, f Fault) (r model.Result) {
	t.Helper()
	for _, m := range []Model{{}, {SnapshotFirst: true}, {Rename: true}, {Rename: true, SnapshotFirst: true}} {
		m.Fault = f
		var err error
		if r, err = model.Explore[state](&m, model.Options{}); err != nil {
			t.Fatal(err)
		}
		if r.Violation != nil {
			return r
		}
		if f == NoFault {
			t.Log(r)
		}
	}
	return r
}

func TestSharedObjectsStay(t *testing.T) {
	if r := explore(t, NoFault); r.Violation != nil {
		t.Fatal(r)
	}
}

func TestSharedFaultIsFound(t *testing.T) {
	for f := NoFault + 1; f < numFaults; f++ {
		t.Run(f.String(), func(t *testing.T) {
			r := explore(t, f)
			if r.Violation == nil {
				t.Fatalf("not found in %v", r)
			}
			t.Logf("found in %v", r)
		})
	}
}
