package filed

import (
	"errors"
	"os"
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
	if errors.Is(err, ErrNoDirect) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	blockertest.Run(t, func(t *testing.T) blocker.Store { return open(t, nil) })
}

func TestConformanceWriteThrough(t *testing.T) {
	t.Parallel()
	blockertest.Run(t, func(t *testing.T) blocker.Store {
		return open(t, func(o *Options) { o.WriteThrough, o.Dir = true, memoryDir(t) })
	})
}

func TestConformanceDirect(t *testing.T) {
	t.Parallel()
	blockertest.Run(t, func(t *testing.T) blocker.Store {
		return open(t, func(o *Options) { o.Direct = true })
	})
}

func TestConformanceDirectWriteThrough(t *testing.T) {
	t.Parallel()
	blockertest.Run(t, func(t *testing.T) blocker.Store {
		return open(t, func(o *Options) {
			o.Direct, o.WriteThrough, o.FDCache, o.Dir = true, true, 10, memoryDir(t)
		})
	})
}

func TestConformanceFewDescriptors(t *testing.T) {
	t.Parallel()
	blockertest.Run(t, func(t *testing.T) blocker.Store {
		return open(t, func(o *Options) { o.FDCache, o.LockDir = 10, "" })
	})
}

// memoryDir is a directory whose syncs cost nothing, where the machine has one.
func memoryDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "filed-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
