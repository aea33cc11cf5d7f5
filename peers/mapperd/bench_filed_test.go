package mapperd

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/filed"
	"archipelago/peers/mapper"
)

// The benchmarks of what an operator waits for, with everything synced, on the file system under
// TMPDIR. One command measures all of them:
//
//	go test ./peers/mapperd -run '^$' -bench Filed -benchtime 50x
//
// BenchmarkFiledClones makes clones, with -benchtime 10000x ten thousand.

// filedEngine is an engine over two stores in files.
func filedEngine(b *testing.B) *Engine {
	b.Helper()
	open := func(owner string) *filed.Store {
		s, err := filed.Open(filed.Options{Dir: b.TempDir(), Owner: owner})
		must(b, err)
		b.Cleanup(func() { must(b, s.Close()) })
		return s
	}
	e, err := New(Config{
		Maps: open("maps"), Blocks: open("blocks"), PendingDir: sharedMemory(b), Node: "node1",
		BootID: [16]byte{1}, FlushAfter: time.Hour,
	})
	must(b, err)
	b.Cleanup(func() { must(b, e.Close()) })
	return e
}

// sharedMemory is a directory where pending logs lie in production: they are no files on a disk.
func sharedMemory(b *testing.B) string {
	dir, err := os.MkdirTemp("/dev/shm", "mapperd-bench")
	if err != nil {
		b.Skipf("no shared memory: %v", err)
	}
	b.Cleanup(func() { must(b, os.RemoveAll(dir)) })
	return dir
}

// filledOn makes volume "v" of 1 TiB with an entry for each of its 262144 objects, and snapshot
// "base" of it.
func filledOn(b *testing.B, e *Engine) mapper.Info {
	b.Helper()
	op, err := do(e, mapper.Op{Kind: mapper.Clone, Name: "v", Size: 1 << 40})
	must(b, err)
	for i := range int64(1<<40) / mapfmt.DefaultObjectSize {
		must(b, commitNew(e, op.Info, i))
	}
	must(b, flush(e, op.Info))
	_, err = snapshot(e, "v", "base")
	must(b, err)
	return op.Info
}

// timed runs f b.N times with before in between, and reports the median and the slowest.
func timed(b *testing.B, before, f func(n int) error) {
	var all []time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		must(b, before(n))
		b.StartTimer()
		start := time.Now()
		must(b, f(n))
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	b.ReportMetric(all[len(all)/2].Seconds()*1e3, "ms-median")
	b.ReportMetric(all[len(all)-1].Seconds()*1e3, "ms-slowest")
}

// BenchmarkFiled: operations on a volume of 1 TiB whose map is full, one entry committed before each.
func BenchmarkFiled(b *testing.B) {
	e := filedEngine(b)
	v := filledOn(b, e)
	touch := func(int) error { return commitNew(e, v, 5) }
	names := 0
	name := func() string {
		names++
		return fmt.Sprintf("n%d", names)
	}
	snap := func(int) error { _, err := snapshot(e, "v", name()); return err }
	b.Run("snapshot", func(b *testing.B) { timed(b, touch, snap) })
	b.Run("clone", func(b *testing.B) {
		timed(b, touch, func(int) error { _, err := clone(e, name(), "base"); return err })
	})
	b.Run("rollback", func(b *testing.B) {
		timed(b, touch, func(int) error { _, err := rollback(e, "v", "base"); return err })
	})
	last := func(int) error { return remove(e, fmt.Sprintf("n%d", names)) }
	b.Run("remove/snapshot", func(b *testing.B) { timed(b, snap, last) })
	b.Run("remove/clone", func(b *testing.B) {
		timed(b, func(int) error { _, err := clone(e, name(), "base"); return err }, last)
	})
}

// BenchmarkFiledClones makes clones of a snapshot of 1 TiB whose map is full, several at once.
func BenchmarkFiledClones(b *testing.B) {
	const atOnce = 16
	e := filedEngine(b)
	filledOn(b, e)
	made := 0
	for b.Loop() {
		made++
	}
	start := time.Now()
	var wait sync.WaitGroup
	for w := range atOnce {
		wait.Go(func() {
			for n := w; n < made; n += atOnce {
				if _, err := clone(e, fmt.Sprintf("c%d", n), "base"); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	b.ReportMetric(float64(made)/time.Since(start).Seconds(), "clones/s")
	b.ReportMetric(0, "ns/op")
}
