package filed

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"archipelago/peers/blocker"
)

// atOnce tells whether a store serves op within Submit, where it is alone.
func atOnce(s *Store, op *blocker.Op) bool {
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	return s.quick(op)
}

// quickStore returns a store on a disk that syncs quickly, with a clean object "x" of volume 0.
func quickStore(t *testing.T) *Store {
	s := open(t, nil)
	put(t, s, "x", "1")
	put(t, s, "y", "1")
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	settle(t, s)
	return s
}

// settle waits until nothing is under way, which is only after the callers were told, and makes the
// disk a quick one, whatever it was.
func settle(t *testing.T, s *Store) {
	t.Helper()
	for begun := time.Now(); s.inFlight.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatal("an operation never ends")
		}
	}
	s.pace.usual.Store(int64(quickSync))
}

// TestSyncAtOnce: the sync of one object of which little was written is served at once if whoever
// asks for it is alone with a quick disk; every other one goes to the pool, and so does what is
// behind it.
func TestSyncAtOnce(t *testing.T) {
	write := func(t *testing.T, s *Store, name string, n int) {
		do(t, s, &blocker.Op{Kind: blocker.Write, Name: name, Data: make([]byte, n)})
		settle(t, s)
	}
	for _, c := range []struct {
		what   string
		before func(t *testing.T, s *Store)
		want   bool
		syncs  int // of x
	}{
		{"little was written", func(t *testing.T, s *Store) { write(t, s, "x", 4096) }, true, 1},
		{"nothing was written", func(*testing.T, *Store) {}, true, 0},
		{"nothing was written, and others are busy", func(_ *testing.T, s *Store) { s.pace.others.Add(100) }, true, 0},
		{"of two objects", func(t *testing.T, s *Store) { write(t, s, "x", 1); write(t, s, "y", 1) }, false, 0},
		{"much was written", func(t *testing.T, s *Store) { write(t, s, "x", quickBytes+1) }, false, 0},
		{"much was written bit by bit", func(t *testing.T, s *Store) {
			for range quickBetween {
				write(t, s, "x", inlineMax)
			}
		}, false, 0},
		{"an object is new", func(t *testing.T, s *Store) { write(t, s, "z", 1) }, false, 0},
		{"others are busy", func(t *testing.T, s *Store) { write(t, s, "x", 1); s.pace.others.Add(quickBetween) }, false, 0},
		{"the pool is busy", func(t *testing.T, s *Store) {
			write(t, s, "x", 1)
			s.inFlight.Add(1)
			t.Cleanup(func() { s.inFlight.Add(-1) })
		}, false, 0},
		{"the disk is slow", func(t *testing.T, s *Store) { write(t, s, "x", 1); s.pace.usual.Store(int64(quickSync) + 1) }, false, 0},
		{"nobody knows the disk", func(t *testing.T, s *Store) { write(t, s, "x", 1); s.pace.usual.Store(0) }, false, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := quickStore(t)
			c.before(t, s)
			tr := watch(s)
			op := &blocker.Op{Kind: blocker.Sync}
			if got := atOnce(s, op); got != c.want || op.Err != nil {
				t.Errorf("served at once: %v, %v", got, op.Err)
			}
			if n := count(tr.take(), "fdatasync x"); n != c.syncs {
				t.Errorf("synced %d times", n)
			}
		})
	}
}

// TestSyncAtOnceFails: the object is bad then, as after any other sync.
func TestSyncAtOnceFails(t *testing.T) {
	s := quickStore(t)
	put(t, s, "x", "2")
	settle(t, s)
	failed := false
	watch(s).on(func(call, _ string) error {
		if call != "fdatasync" || failed {
			return nil
		}
		failed = true // the kernel tells an error once
		return syscall.EIO
	})
	op := &blocker.Op{Kind: blocker.Sync}
	if !atOnce(s, op) || !errors.Is(op.Err, blocker.ErrBad) {
		t.Fatalf("the sync fails with %v", op.Err)
	}
	if atOnce(s, op) {
		t.Error("a bad object's sync is served at once")
	}
	if err := blocker.Do(s, &blocker.Op{Kind: blocker.Sync}); !errors.Is(err, blocker.ErrBad) {
		t.Errorf("the next sync: %v", err)
	}
}

// TestSyncPace: one slow sync ends those at once; quick ones bring them back.
func TestSyncPace(t *testing.T) {
	var p syncPace
	if p.quick() {
		t.Error("quick before the first sync")
	}
	p.took(quickSync / 4)
	if !p.quick() {
		t.Error("not quick after a quick sync")
	}
	p.took(10 * time.Millisecond)
	if p.quick() {
		t.Error("quick after a slow sync")
	}
	for n := 0; !p.quick(); n++ {
		if n == 50 {
			t.Fatal("not quick after 50 quick syncs")
		}
		p.took(quickSync / 4)
	}
}
