package filed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/blockertest"
)

var one, two = UUID{1}, UUID{2}

// openTracked opens a store that keeps a list of what is dirty, past its first Sync.
func openTracked(t *testing.T) *Store {
	list := filepath.Join(memoryDir(t), "pending", "dirty.blockerb")
	s := open(t, func(o *Options) { o.Track = list })
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	return s
}

func writeFor(t *testing.T, s *Store, v UUID, name string) {
	t.Helper()
	do(t, s, &blocker.Op{Kind: blocker.Write, Volume: v, Name: name, Data: []byte("1234")})
}

// syncOf syncs a volume.
func syncOf(s *Store, v UUID) error {
	return blocker.Do(s, &blocker.Op{Kind: blocker.Sync, Volume: v})
}

// listed returns what the list on tmpfs says now: to a successor.
func listed(t *testing.T, s *Store) (names []string) {
	t.Helper()
	other := &tracker{path: s.track.path}
	if err := other.open(); err != nil {
		t.Fatal(err)
	}
	defer other.abandon()
	left, err := other.load()
	if err != nil {
		t.Fatal(err)
	}
	for name, l := range left {
		names = append(names, fmt.Sprint(name, " of ", len(l.volumes), map[bool]string{true: " bad"}[l.bad]))
	}
	slices.Sort(names)
	return names
}

// TestListed: what is dirty is listed, per volume, until it is clean.
func TestListed(t *testing.T) {
	s := openTracked(t)
	check := func(want ...string) {
		t.Helper()
		if got := listed(t, s); !slices.Equal(got, want) {
			t.Errorf("listed %q, want %q", got, want)
		}
	}
	check()
	writeFor(t, s, one, "a/x")
	writeFor(t, s, one, "a/y")
	writeFor(t, s, two, "a/y")
	writeFor(t, s, two, "a/z")
	check("a/x of 1", "a/y of 2", "a/z of 1")
	if err := syncOf(s, one); err != nil {
		t.Error(err)
	}
	check("a/z of 1")
	do(t, s, &blocker.Op{Kind: blocker.Delete, Name: "a/z"})
	check()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.track.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty list stays: %v", err)
	}
}

// TestListedFirst: an object is listed before it changes, whichever way it is changed.
func TestListedFirst(t *testing.T) {
	s := openTracked(t)
	writeFor(t, s, one, "x")
	do(t, s, &blocker.Op{Kind: blocker.Create, Name: "ap", Data: []byte("1234")})
	writeFor(t, s, one, "ap")
	for _, op := range []*blocker.Op{
		{Kind: blocker.Write, Name: "x", Data: []byte("1")},            // inline
		{Kind: blocker.Write, Name: "x", Data: make([]byte, 100<<10)},  // by the pool
		{Kind: blocker.Write, Name: "new", Data: []byte("1")},          // opened for it
		{Kind: blocker.WriteZeroes, Name: "x", Offset: 5, Length: 100}, // punched
		{Kind: blocker.Discard, Name: "x", Length: 100},
		{Kind: blocker.Copy, Name: "x", Source: "ap", Length: 4},
		{Kind: blocker.Append, Name: "ap", Offset: 4, Data: []byte("5")},
		{Kind: blocker.TruncateTail, Name: "ap", Offset: 1},
	} {
		if err := syncOf(s, one); err != nil {
			t.Fatal(err)
		}
		seen := false
		watch(s).on(func(call, path string) error {
			if path == op.Name && (call == "write" || call == "punch" || call == "truncate") {
				seen = true
				if got := listed(t, s); !slices.Contains(got, op.Name+" of 1") {
					t.Errorf("kind %d: %s while listed are %q", op.Kind, call, got)
				}
			}
			return nil
		})
		op.Volume = one
		do(t, s, op)
		s.disk.observe = nil
		if !seen {
			t.Errorf("kind %d changes nothing", op.Kind)
		}
	}
}

// TestRestartSyncs: what a killed store had left dirty is synced by the first Sync of the next one,
// and only that.
func TestRestartSyncs(t *testing.T) {
	s := openTracked(t)
	writeFor(t, s, one, "a/clean")
	if err := syncOf(s, one); err != nil {
		t.Fatal(err)
	}
	writeFor(t, s, one, "a/x")
	writeFor(t, s, two, "b/y")
	writeFor(t, s, two, "b/gone")
	if err := os.Remove(filepath.Join(s.disk.dir, "b/gone")); err != nil {
		t.Fatal(err)
	}
	kill(s)
	s = reopen(t, s)
	tr := watch(s)
	if err := syncOf(s, one); err != nil {
		t.Fatal(err)
	}
	calls := tr.take()
	order(t, calls, "syncfs .", "fdatasync a/x", "fdatasync b/y")
	if count(calls, "fdatasync a/clean") != 0 {
		t.Errorf("what was clean is synced again: %q", calls)
	}
	if got := listed(t, s); len(got) != 0 {
		t.Errorf("listed after the sync: %q", got)
	}
	kill(s)
	s = reopen(t, s)
	tr = watch(s)
	if err := syncOf(s, one); err != nil {
		t.Fatal(err)
	}
	if calls := tr.take(); len(calls) != 0 {
		t.Errorf("nothing was left dirty: %q", calls)
	}
}

// TestRestartTwice: what the list doesn't know stays unknown until it was covered, however often
// the blocker is killed.
func TestRestartTwice(t *testing.T) {
	s := openTracked(t)
	writeFor(t, s, one, "x")
	kill(s)
	if err := os.Remove(s.track.path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = reopen(t, s)
		kill(s)
	}
	s = reopen(t, s)
	tr := watch(s)
	if err := syncOf(s, two); err != nil {
		t.Fatal(err)
	}
	order(t, tr.take(), "syncfs .")
}

func failOn(want string) func(call, path string) error {
	return func(call, path string) error {
		if call+" "+path == want {
			return unix.EIO
		}
		return nil
	}
}

// badStore returns a store in which x, of the first volume, is bad.
func badStore(t *testing.T) *Store {
	s := openTracked(t)
	writeFor(t, s, one, "x")
	writeFor(t, s, two, "y")
	watch(s).on(failOn("fdatasync x"))
	if err := syncOf(s, one); !errors.Is(err, blocker.ErrBad) {
		t.Fatal(err)
	}
	return s
}

// TestBadSurvivesKill: an object that is bad is so to the next store, until it is rewritten whole.
func TestBadSurvivesKill(t *testing.T) {
	for name, heal := range map[string]*blocker.Op{
		"write":   {Kind: blocker.Write, Name: "x", Data: []byte("whole")},
		"replace": {Kind: blocker.Replace, Name: "x"},
		"delete":  {Kind: blocker.Delete, Name: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			s := badStore(t)
			for i := range 3 {
				kill(s)
				s = reopen(t, s)
				if err := syncOf(s, one); !errors.Is(err, blocker.ErrBad) {
					t.Fatalf("restart %d: sync: %v", i+1, err)
				}
				if err := syncOf(s, two); err != nil {
					t.Errorf("restart %d: another volume: %v", i+1, err)
				}
				if err := blocker.Do(s, &blocker.Op{Kind: blocker.Sync, Name: "x"}); !errors.Is(err, blocker.ErrBad) {
					t.Errorf("restart %d: sync of the object: %v", i+1, err)
				}
				if i > 0 { // opened, and a part of it written
					third := UUID{3, byte(i)}
					do(t, s, &blocker.Op{Kind: blocker.Write, Volume: third, Name: "x", Data: []byte("1")})
					if err := syncOf(s, third); !errors.Is(err, blocker.ErrBad) {
						t.Errorf("a volume that has written to it: %v", err)
					}
				}
			}
			do(t, s, heal)
			if err := errors.Join(syncOf(s, one), syncOf(s, two)); err != nil {
				t.Error(err)
			}
			if got := listed(t, s); slices.Contains(got, "x of 1 bad") {
				t.Errorf("listed: %q", got)
			}
		})
	}
}

// killable is a store that keeps a list, with syncs that fail on demand.
type killable struct{ failing }

func newKillable(s *Store) killable { return killable{failing{s, watch(s)}} }

func (k killable) Restart(t *testing.T) blockertest.Killable {
	kill(k.Store)
	return newKillable(reopen(t, k.Store))
}

func TestConformanceRestart(t *testing.T) {
	for _, direct := range []bool{false, true} {
		blockertest.RunRestart(t, func(t *testing.T) blockertest.Killable {
			list := filepath.Join(memoryDir(t), "dirty.blockerb")
			return newKillable(open(t, func(o *Options) { o.Track, o.Direct = list, direct }))
		})
	}
}

// TestLeftoverLost: when the first sync after a restart fails, what had been left dirty is bad, and
// nothing else.
func TestLeftoverLost(t *testing.T) {
	for _, failing := range []string{"syncfs .", "fdatasync x"} {
		t.Run(failing, func(t *testing.T) {
			s := openTracked(t)
			writeFor(t, s, one, "x")
			writeFor(t, s, one, "healed")
			kill(s)
			s = reopen(t, s)
			writeFor(t, s, two, "y")
			do(t, s, &blocker.Op{Kind: blocker.Replace, Name: "healed", Data: []byte("1")})
			watch(s).on(failOn(failing))
			if err := syncOf(s, two); err != nil {
				t.Errorf("another volume: %v", err)
			}
			s.disk.observe = nil
			for range 2 {
				if err := syncOf(s, one); !errors.Is(err, blocker.ErrBad) {
					t.Errorf("sync: %v", err)
				}
			}
			do(t, s, &blocker.Op{Kind: blocker.Sync, Name: "healed"})
			do(t, s, &blocker.Op{Kind: blocker.Delete, Name: "x"})
			if err := syncOf(s, one); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLostSurvivesKill: when nobody knows what was lost, no store promises anything before an
// operator has stopped one in good order.
func TestLostSurvivesKill(t *testing.T) {
	s := openTracked(t)
	writeFor(t, s, one, "x")
	kill(s)
	if err := os.Remove(s.track.path); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s)
	watch(s).on(failOn("syncfs ."))
	for range 3 {
		if err := syncOf(s, two); !errors.Is(err, blocker.ErrBad) {
			t.Errorf("sync: %v", err)
		}
		kill(s)
		s = reopen(t, s)
	}
	s.Close()
	s = reopen(t, s)
	if err := syncOf(s, two); err != nil {
		t.Errorf("after a stop in good order: %v", err)
	}
}

// TestListOverflows: more dirty objects than the list holds are told of, as long as there are.
func TestListOverflows(t *testing.T) {
	s := openTracked(t)
	var slots []uint32
	flags := func() uint32 { return load32(s.track.flagBytes()) }
	for i := range trackMax {
		if n := s.track.take(one, fmt.Sprint(i)); n != 0 {
			slots = append(slots, n)
		}
	}
	if len(slots) != trackMax-1 || flags() != flagOverflow {
		t.Errorf("%d slots, flags %d", len(slots), flags())
	}
	if _, _, known, err := openTracker(s.track.path, s.disk); known || err != nil {
		t.Errorf("a successor takes the list for whole (%v)", err)
	}
	s.track.release(0)
	if flags() != 0 {
		t.Errorf("flags %d", flags())
	}
	for _, n := range slots {
		s.track.release(n)
	}
	if n := s.track.take(two, "again"); n == 0 {
		t.Error("no room after all")
	} else {
		s.track.release(n)
	}
}

// FuzzTrack: a list of any bytes is read without harm; what doesn't check isn't believed.
func FuzzTrack(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0}, uint16(3))
	f.Add([]byte{255, 255, 255, 255, 24: 255, 25: 255}, uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		tr := &tracker{mem: alignedBuffer(8 * trackSlot), room: 8}
		tr.reset(identity{dev: 1})
		n := tr.take(UUID{7}, "v/good")
		start := int(at) % (6 * trackSlot)
		copy(tr.mem[2*trackSlot+start:], data)
		left, _ := (&tracker{mem: tr.mem, room: 8}).load()
		if n != 1 || left["v/good"] == nil {
			t.Fatal("the good slot is gone")
		}
		for name := range left {
			if err := blocker.CheckName(name); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestForeignList: a list of another boot, directory or version isn't ours.
func TestForeignList(t *testing.T) {
	id := identity{boot: [16]byte{1}, dev: 2, ino: 3}
	tr := &tracker{mem: make([]byte, 8*trackSlot), room: 8}
	tr.reset(id)
	if !isOurs(tr.mem, id) {
		t.Error("it isn't ours")
	}
	for _, other := range []identity{{dev: 2, ino: 3}, {boot: id.boot, ino: 3}, {boot: id.boot, dev: 2}} {
		if isOurs(tr.mem, other) {
			t.Errorf("it is that of %+v, too", other)
		}
	}
	for at := range trackHeaderTo {
		mem := slices.Clone(tr.mem)
		mem[at] ^= 1
		if isOurs(mem, id) {
			t.Errorf("byte %d is damaged, and it passes", at)
		}
	}
}
