package vlmcd

import (
	"os"
	"strconv"
	"testing"

	"archipelago/peers/blocker"
)

// seeds calls f with n seeds, or with the one in ARCHIPELAGO_SEED; ten times as many in a soak.
func seeds(t *testing.T, n int, f func(t *testing.T, seed uint64)) {
	t.Helper()
	if s := os.Getenv("ARCHIPELAGO_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		f(t, seed)
		return
	}
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		n *= 100
	}
	for seed := range uint64(n) {
		f(t, seed)
		if t.Failed() {
			t.Fatalf("ARCHIPELAGO_SEED=%d", seed)
		}
	}
}

// seeded names the seed if the test ends early.
func seeded(t *testing.T, seed uint64) func() {
	ok := false
	t.Cleanup(func() {
		if !ok {
			t.Logf("ARCHIPELAGO_SEED=%d", seed)
		}
	})
	return func() { ok = true }
}

// TestRandomLoad runs random requests, snapshots, clones and closes on small volumes, with the
// engine killed now and then and the mapper restarted, and checks every byte.
func TestRandomLoad(t *testing.T) {
	seeds(t, 100, func(t *testing.T, seed uint64) {
		done := seeded(t, seed)
		w := newWorld(t, seed)
		w.maps.stale = w.rng.IntN(2) * 20
		w.again = w.rng.IntN(2) * 10
		w.cfg.MaxPages = 1 + w.rng.IntN(3)
		w.cfg.CopyUpRate = int64(w.rng.IntN(2)) << 20
		w.start()
		objectSize := int64(64<<10) << w.rng.IntN(3)
		l := newLoad(w, 2*objectSize+objectSize/2, objectSize)
		kills := w.rng.IntN(2) * 8
		for range 250 {
			l.randomStep(kills)
		}
		l.verify()
		done()
	})
}

// randomStep makes one request or lets one event happen.
func (l *load) randomStep(kills int) {
	w := l.w
	switch n := w.rng.IntN(1000); {
	case n < 300 && len(l.live) < 12:
		l.io()
	case n < 312 && len(l.vols) < 8:
		l.snapshot()
	case n < 322 && len(l.vols) < 8:
		l.clone()
	case n < 326:
		l.closeOne()
	case n < 330:
		l.rollback()
	case n < 334:
		l.hold()
	case n < 334+kills:
		l.kill()
	case n < 334+2*kills:
		if w.rng.IntN(2) == 0 {
			w.maps.restart()
		} else {
			w.maps.forgetLocks()
		}
	default:
		for range 4 {
			w.step()
		}
	}
}

// TestPowerCut cuts the power during random load: what was flushed or written with FUA is there.
func TestPowerCut(t *testing.T) {
	seeds(t, 100, func(t *testing.T, seed uint64) {
		done := seeded(t, seed)
		w := newWorld(t, seed)
		l := newLoad(w, 160<<10, 64<<10)
		for range 150 {
			l.randomStep(w.rng.IntN(2) * 8)
		}
		l.powerCut()
		done()
	})
}

// TestFailingStore gives operations of the store random errors: requests fail with EIO, and nothing
// else comes of it.
func TestFailingStore(t *testing.T) {
	seeds(t, 60, func(t *testing.T, seed uint64) {
		done := seeded(t, seed)
		w := newWorld(t, seed)
		l := newLoad(w, 160<<10, 64<<10)
		l.allowErr = true
		for i := range 200 {
			w.fail = nil
			if i%3 == 0 {
				w.fail = func(op *blocker.Op) error {
					if w.rng.IntN(10) == 0 && op.Volume != (UUID{}) {
						return blocker.ErrBad
					}
					return nil
				}
			}
			l.randomStep(0)
		}
		w.fail = nil
		l.verify()
		done()
	})
}
