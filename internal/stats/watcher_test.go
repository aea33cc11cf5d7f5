package stats

import (
	"errors"
	"testing"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// TestWatcherOverRestart: a node that goes and comes back under the same name is another one, whose
// counters aren't compared with those of the first.
func TestWatcherOverRestart(t *testing.T) {
	n := xsegtest.NewSized(t, 64, 16)
	w := Watch(n.Name)
	defer w.Close()
	for first := true; ; first = false {
		before, now, err := w.Step()
		if err != nil || before != now {
			t.Fatalf("first sample of a segment: %v, the same %v", err, before == now)
		}
		again, later, err := w.Step()
		if err != nil || again != now || later == now || later.Info.Name != n.Name {
			t.Fatalf("second sample: %v", err)
		}
		if !first {
			return
		}
		if err := xseg.Destroy(n.Name, true); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Step(); !errors.Is(err, xseg.ErrNoSegment) {
			t.Fatalf("without a segment: %v", err)
		}
		spec := xseg.Spec{Name: n.Name, Ports: 64, SizeMiB: 16, PageShift: 12}
		if err := xseg.Create(spec, xseg.CreateOptions{RuntimeDir: n.RuntimeDir, Group: -1}); err != nil {
			t.Fatal(err)
		}
	}
}
