package filed

import (
	"errors"
	"fmt"
	"testing"

	"archipelago/peers/blocker"
)

// aheadStore is a store with room for 40 descriptors, of which 30 may be dirty.
func aheadStore(t *testing.T) (*Store, *tracer) {
	s := open(t, func(o *Options) { o.FDCache = 40 })
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	return s, watch(s)
}

// unsynced waits until nothing is synced ahead any more, and returns how many objects are dirty.
func unsynced(t *testing.T, s *Store) (n int) {
	t.Helper()
	waitFor(t, s, func() bool {
		n = s.unsynced.len
		return s.ahead == 0
	})
	return n
}

// TestSyncAhead: the oldest objects are synced before their descriptors are needed, the others wait
// for somebody to ask.
func TestSyncAhead(t *testing.T) {
	s, tr := aheadStore(t)
	for i := range 36 {
		put(t, s, fmt.Sprintf("a/%d", i), "1")
	}
	if n := unsynced(t, s); n > aheadAbove(40) || n < aheadAbove(40)-aheadRuns {
		t.Errorf("%d objects are dirty", n)
	}
	calls := tr.take()
	for i := range 36 {
		n := count(calls, fmt.Sprintf("fdatasync a/%d", i))
		if i < 5 && n != 1 || i >= 15 && n != 0 {
			t.Errorf("a/%d was synced %d times", i, n)
		}
	}
}

// TestSyncAheadFails: what fails when nobody has asked is told to who asks next, and isn't tried
// again and again.
func TestSyncAheadFails(t *testing.T) {
	s, tr := aheadStore(t)
	tr.failSync("a/1")
	for i := range 36 {
		put(t, s, fmt.Sprintf("a/%d", i), "1")
	}
	unsynced(t, s)
	if n := count(tr.take(), "fdatasync a/1"); n != 1 {
		t.Errorf("the bad object was synced %d times", n)
	}
	if err := blocker.Do(s, &blocker.Op{Kind: blocker.Sync}); !errors.Is(err, blocker.ErrBad) {
		t.Errorf("sync: %v", err)
	}
}

// TestSyncAheadOfDeleted: an object that goes while it is synced takes nothing along that others
// need.
func TestSyncAheadOfDeleted(t *testing.T) {
	s, tr := aheadStore(t)
	begun, goOn := make(chan string, 100), make(chan struct{})
	tr.on(func(call, path string) error {
		if call == "fdatasync" {
			begun <- path
			<-goOn
		}
		return nil
	})
	for i := range 31 {
		put(t, s, fmt.Sprintf("a/%d", i), "1")
	}
	do(t, s, &blocker.Op{Kind: blocker.Delete, Name: <-begun})
	close(goOn)
	if n := unsynced(t, s); n != 30 {
		t.Errorf("%d objects are dirty, want 30", n)
	}
	for i := 31; i < 36; i++ {
		put(t, s, fmt.Sprintf("a/%d", i), "1")
	}
	if n := unsynced(t, s); n > 30 {
		t.Errorf("%d objects are dirty: nothing is synced ahead any more", n)
	}
}
