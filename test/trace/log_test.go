package trace

import (
	"strings"
	"testing"

	"archipelago/test/testnode"
)

// TestLogOfALife: the life of a volume is in the log, each event in one line, and no line has a key
// twice that says who it is about.
func TestLogOfALife(t *testing.T) {
	n := testnode.Start(t)
	c := n.Dial()
	defer c.Close()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	must(c.Create(ctx, "first", 1<<20, 0))
	v, err := c.Open(ctx, "first")
	must(nil, err)
	must(nil, v.WriteAt(ctx, make([]byte, 4096), 0))
	must(c.Snapshot(ctx, "first", "photo"))
	must(c.Resize(ctx, "first", 2<<20))
	must(c.Rename(ctx, "first", "second"))
	must(nil, c.CloseVolume(ctx, "second"))
	must(nil, c.Remove(ctx, "second"))
	n.Stop()
	log := n.Log()
	for _, event := range []string{
		`msg="volume created" volume=first`, `msg="volume opened" volume=first`, `msg="snapshot made" volume=first`,
		`msg="volume resized" volume=first`, `msg="volume renamed" volume=first`, `msg="volume removed" volume=second`,
		`msg="peer is ready" source=supervisor role=vlmcd`, `msg="node is stopping" source=supervisor`,
	} {
		// It may be opened again after a change.
		if k := strings.Count(log, event); k != 1 && (k == 0 || !strings.Contains(event, "opened")) {
			t.Errorf("%d lines of %s", k, event)
		}
	}
	for line := range strings.Lines(log) {
		if strings.Count(line, "role=") > 1 || strings.Count(line, "level=") != 1 {
			t.Errorf("line: %s", line)
		}
	}
}
