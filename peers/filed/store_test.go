package filed

import (
	"testing"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/blockertest"
)

func open(t testing.TB, change func(*Options)) *Store {
	opts := Options{Dir: t.TempDir(), LockDir: t.TempDir()}
	if change != nil {
		change(&opts)
	}
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	blockertest.Run(t, func(t *testing.T) blocker.Store { return open(t, nil) })
}

func TestConformanceWriteThrough(t *testing.T) {
	blockertest.Run(t, func(t *testing.T) blocker.Store {
		return open(t, func(o *Options) { o.WriteThrough = true })
	})
}

func TestConformanceFewDescriptors(t *testing.T) {
	blockertest.Run(t, func(t *testing.T) blocker.Store {
		return open(t, func(o *Options) { o.FDCache, o.LockDir = 10, "" })
	})
}
