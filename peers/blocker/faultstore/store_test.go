package faultstore_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/blockertest"
	"archipelago/peers/blocker/faultstore"
	"archipelago/peers/blocker/memstore"
)

func TestConformance(t *testing.T) {
	blockertest.Run(t, func(*testing.T) blocker.Store { return faultstore.Wrap(memstore.New()) })
}

// quiet is a wrapper that injects nothing.
type quiet struct {
	*faultstore.Store
	inner *memstore.Store
}

func newQuiet() quiet {
	inner := memstore.New()
	return quiet{faultstore.Wrap(inner), inner}
}

func (q quiet) FailSync(fail func(name string) error) { q.inner.FailSync(fail) }

func (q quiet) Worst() blocker.Store { return q.inner.PowerCut(func(int) int { return 0 }) }

func (q quiet) Restart(*testing.T) blockertest.Killable {
	q.Stop()
	inner := q.inner.Clone()
	return quiet{faultstore.Wrap(inner), inner}
}

func (q quiet) Fill() error {
	err := write(q, "fill")
	q.inner.SetFull(true)
	return err
}

// TestConformanceTrouble: without rules the wrapper changes nothing in trouble either.
func TestConformanceTrouble(t *testing.T) {
	blockertest.RunSyncFailure(t, func(*testing.T) blockertest.Faulty { return newQuiet() })
	blockertest.RunPowerCut(t, func(*testing.T) blockertest.Crashable { return newQuiet() })
	blockertest.RunFull(t, func(*testing.T) blockertest.Limited { return newQuiet() })
	blockertest.RunRestart(t, func(*testing.T) blockertest.Killable { return newQuiet() })
}

// TestConformanceDelayed: delays change no outcome.
func TestConformanceDelayed(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	blockertest.Run(t, func(*testing.T) blocker.Store {
		s := faultstore.Wrap(memstore.New())
		s.Inject(faultstore.Rule{Prefix: "c/", Delay: 100 * time.Microsecond})
		return s
	})
}

func write(s blocker.Store, name string) error {
	return blocker.Do(s, &blocker.Op{Kind: blocker.Write, Name: name, Data: []byte{1}})
}

func exists(s blocker.Store, name string) bool {
	return blocker.Do(s, &blocker.Op{Kind: blocker.Stat, Name: name}) == nil
}

func TestRules(t *testing.T) {
	inner := memstore.New()
	s := faultstore.Wrap(inner)
	s.Inject(faultstore.Rule{Kind: blocker.Write, Prefix: "a/", Nth: 2, Times: 2, Err: syscall.EIO})
	s.Inject(faultstore.Rule{Kind: blocker.Write, Prefix: "b/", Err: syscall.ENOSPC, Late: true})
	for i, want := range []bool{true, false, false, true} {
		if err := write(s, "a/x"); (err == nil) != want || !want && !errors.Is(err, syscall.EIO) {
			t.Errorf("write %d: %v", i+1, err)
		}
	}
	if err := write(s, "c/x"); err != nil {
		t.Errorf("another prefix: %v", err)
	}
	if err := write(s, "b/x"); !errors.Is(err, syscall.ENOSPC) || !exists(inner, "b/x") {
		t.Errorf("late: %v, done: %v", err, exists(inner, "b/x"))
	}
	s.Clear()
	if err := write(s, "b/x"); err != nil {
		t.Errorf("after Clear: %v", err)
	}
	if s.Count(blocker.Write) != 7 || s.Total() != 7 {
		t.Errorf("counted %d writes of %d", s.Count(blocker.Write), s.Total())
	}
}

func TestHang(t *testing.T) {
	inner := memstore.New()
	s := faultstore.Wrap(inner)
	s.Inject(faultstore.Rule{Kind: blocker.Write, Hang: true})
	done := make(chan *blocker.Op, 1)
	s.Submit(&blocker.Op{Kind: blocker.Write, Name: "x", Data: []byte{1}, Done: func(op *blocker.Op) { done <- op }})
	if exists(inner, "x") {
		t.Error("an operation that hangs has run")
	}
	s.Clear()
	s.Release()
	if op := <-done; op.Err != nil || !exists(inner, "x") {
		t.Errorf("released: %v", op.Err)
	}
}

// TestHooks: a test cuts the power around every operation.
func TestHooks(t *testing.T) {
	inner := memstore.New()
	s := faultstore.Wrap(inner)
	errCrash := errors.New("crash")
	var before, after []bool
	s.Before(func(n int, _ *blocker.Op) error {
		before = append(before, exists(inner, "x"))
		if n == 2 {
			return errCrash
		}
		return nil
	})
	s.After(func(int, *blocker.Op) { after = append(after, exists(inner, "x")) })
	if err := write(s, "x"); err != nil {
		t.Fatal(err)
	}
	if err := write(s, "y"); !errors.Is(err, errCrash) || exists(inner, "y") {
		t.Errorf("stopped by a hook: %v", err)
	}
	if len(before) != 2 || before[0] || len(after) != 1 || !after[0] {
		t.Errorf("before %v, after %v", before, after)
	}
}

// TestShort: a short operation has done a part of its range, from the beginning, and fails.
func TestShort(t *testing.T) {
	inner := memstore.New()
	s := faultstore.Wrap(inner)
	s.Inject(faultstore.Rule{Short: true})
	const size = 10000
	data := bytes.Repeat([]byte{1}, size)
	if err := blocker.Do(s, &blocker.Op{Kind: blocker.Write, Name: "x", Data: data}); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	st := &blocker.Op{Kind: blocker.Stat, Name: "x"}
	if err := blocker.Do(inner, st); err != nil || st.N == 0 || st.N >= size {
		t.Errorf("%d bytes are there (%v)", st.N, err)
	}
	read := &blocker.Op{Kind: blocker.Read, Name: "x", Data: make([]byte, st.N)}
	if err := blocker.Do(s, read); err == nil || read.N != 0 {
		t.Errorf("read: %v, N = %d", err, read.N)
	}
	if n := bytes.IndexByte(read.Data, 0); n <= 0 {
		t.Errorf("read %d of %d bytes", n, st.N)
	}
	err := blocker.Do(s, &blocker.Op{Kind: blocker.Create, Name: "y", Data: data})
	if err == nil || exists(inner, "y") {
		t.Errorf("half a create: %v", err)
	}
}

// TestChance: what is left to chance is the seed's alone.
func TestChance(t *testing.T) {
	failures := func(seed uint64) (list string) {
		s := faultstore.Wrap(memstore.New())
		s.Seed(seed)
		s.Inject(faultstore.Rule{Chance: 0.3, Err: syscall.EIO})
		for range 200 {
			list += map[bool]string{true: "x", false: "."}[write(s, "a") != nil]
		}
		return list
	}
	one := failures(1)
	if n := strings.Count(one, "x"); n < 30 || n > 90 {
		t.Errorf("%d of 200 with a chance of 0.3", n)
	}
	if failures(1) != one || failures(2) == one {
		t.Error("the seed doesn't decide")
	}
}

// TestStop: nothing reaches the inner store any more, not even what hung.
func TestStop(t *testing.T) {
	inner := memstore.New()
	s := faultstore.Wrap(inner)
	s.Inject(faultstore.Rule{Prefix: "hang", Hang: true})
	done := make(chan error, 1)
	s.Submit(&blocker.Op{Kind: blocker.Write, Name: "hang", Done: func(op *blocker.Op) { done <- op.Err }})
	s.Stop()
	if err := <-done; !errors.Is(err, blocker.ErrClosed) || exists(inner, "hang") {
		t.Errorf("what hung: %v", err)
	}
	if err := write(s, "x"); !errors.Is(err, blocker.ErrClosed) || exists(inner, "x") {
		t.Errorf("afterwards: %v", err)
	}
}

// TestPowerCut: what was synced is left, the rest goes by the seed.
func TestPowerCut(t *testing.T) {
	s := faultstore.Wrap(memstore.New())
	must := func(op *blocker.Op) {
		t.Helper()
		if err := blocker.Do(s, op); err != nil {
			t.Fatal(err)
		}
	}
	must(&blocker.Op{Kind: blocker.Create, Name: "x", Data: []byte("synced")})
	must(&blocker.Op{Kind: blocker.Append, Name: "x", Offset: 6, Data: []byte("unsynced")})
	seen := map[string]bool{}
	for seed := range uint64(50) {
		read := func() string {
			cut := s.PowerCut(seed)
			st := &blocker.Op{Kind: blocker.Stat, Name: "x"}
			if err := blocker.Do(cut, st); err != nil {
				t.Fatal(err)
			}
			op := &blocker.Op{Kind: blocker.Read, Name: "x", Data: make([]byte, st.N)}
			_ = blocker.Do(cut, op)
			return string(op.Data)
		}
		got := read()
		if !strings.HasPrefix(got, "synced") {
			t.Fatalf("seed %d leaves %q", seed, got)
		}
		if read() != got {
			t.Errorf("seed %d leaves one thing and another", seed)
		}
		seen[got] = true
	}
	if !seen["synced"] || !seen["syncedunsynced"] || len(seen) < 5 {
		t.Errorf("outcomes: %q", slices.Sorted(maps.Keys(seen)))
	}
}
