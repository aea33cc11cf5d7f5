package vlmcd

import (
	"testing"

	"archipelago/peers/blocker"
)

// TestBlockerWithoutFill: a blocker of an older version gets copies and a write, and the client what
// it wrote, and around it what was there.
func TestBlockerWithoutFill(t *testing.T) {
	const sub = 16 * kib
	c := newClient(t, 1024*kib, 1024*kib)
	c.must(writeOf(0, 1024*kib, 1))
	c.snapshot("s")
	refused, copies := 0, 0
	c.w.fail = func(op *blocker.Op) error {
		switch op.Kind {
		case blocker.Fill:
			refused++
			return blocker.ErrArgument
		case blocker.Copy:
			copies++
		}
		return nil
	}
	c.must(writeOf(sub+4*kib, 4*kib, 2))   // in the middle of a sub-block
	c.must(writeOf(4*sub, 4*kib, 3))       // at its beginning
	c.must(writeOf(6*sub-4*kib, 8*kib, 4)) // over the edge of two
	if refused == 0 || copies == 0 {
		t.Errorf("%d calls were refused, and %d parts copied", refused, copies)
	}
	for _, r := range []struct {
		off, n int64
		v      byte
	}{
		{0, sub + 4*kib, 1}, {sub + 4*kib, 4 * kib, 2}, {sub + 8*kib, 3*sub - 8*kib, 1}, {4 * sub, 4 * kib, 3},
		{4*sub + 4*kib, 2*sub - 8*kib, 1}, {6*sub - 4*kib, 8 * kib, 4}, {6*sub + 4*kib, sub, 1},
	} {
		c.expect(r.off, r.n, r.v)
	}
}
