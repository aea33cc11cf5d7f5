package faultstore_test

import (
	"errors"
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
