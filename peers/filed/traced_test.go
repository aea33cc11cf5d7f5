package filed

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// TestSyscallsDirect: direct I/O leaves nothing to the page cache and still has to be synced: the
// disk has a cache of its own, and the file system its journal.
func TestSyscallsDirect(t *testing.T) {
	s := openDirect(t)
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	tr := watch(s)
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "a/x", Data: alignedBuffer(8192)})
	if calls := tr.take(); slices.ContainsFunc(calls, func(c string) bool { return c == "fdatasync a/x" }) {
		t.Errorf("a plain write syncs: %q", calls)
	}
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	order(t, tr.take(), "fdatasync a/x", "syncdir a", "syncdir .")
	put(t, s, "a/x", "in the middle")
	if calls := tr.take(); !slices.Equal(calls, []string{"write a/x"}) {
		t.Errorf("a part of a block: %q", calls)
	}
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "a/x", Offset: 8192, Data: []byte("at the end")})
	order(t, tr.take(), "write a/x", "truncate a/x") // whole blocks, then the true size
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	if n := count(tr.take(), "fdatasync a/x"); n != 1 {
		t.Errorf("synced %d times", n)
	}
	do(t, s, &blocker.Op{Kind: blocker.WriteZeroes, Name: "a/x", Offset: 100, Length: 8000})
	if calls := tr.take(); !slices.Equal(calls, []string{"write a/x"}) {
		t.Errorf("zeros within two blocks: %q", calls)
	}
	do(t, s, &blocker.Op{Kind: blocker.Discard, Name: "a/x", Offset: 100, Length: 1 << 20})
	order(t, tr.take(), "write a/x", "punch a/x")
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "a/x", Data: []byte{1}, Flags: blocker.FlagFUA})
	order(t, tr.take(), "write a/x", "fdatasync a/x")
	do(t, s, &blocker.Op{Kind: blocker.Replace, Name: "a/x", Data: []byte("new")})
	order(t, tr.take(), "write temp", "fdatasync temp", "rename a/x", "syncdir a")
}

// TestSyscallsWriteThrough: every change of data is durable when it ends.
func TestSyscallsWriteThrough(t *testing.T) {
	for _, direct := range []bool{false, true} {
		s := open(t, func(o *Options) { o.WriteThrough, o.Direct = true, direct })
		tr := watch(s)
		put(t, s, "src", "1234")
		order(t, tr.take(), "creat src", "write src", "fdatasync src", "syncdir .")
		for _, op := range []*blocker.Op{
			{Kind: blocker.Write, Name: "x", Data: []byte("1234")},
			{Kind: blocker.Write, Name: "x", Data: alignedBuffer(8192)},
			{Kind: blocker.WriteZeroes, Name: "x", Length: 20000},
			{Kind: blocker.Discard, Name: "x", Length: 20000},
			{Kind: blocker.Copy, Name: "x", Source: "src", Length: 4},
			{Kind: blocker.TruncateTail, Name: "x", Offset: 3},
			{Kind: blocker.Append, Name: "x", Offset: 3, Data: []byte("4")},
		} {
			do(t, s, op)
			// What makes it durable comes after the last change, but for directories.
			calls := slices.DeleteFunc(tr.take(), func(c string) bool { return strings.HasPrefix(c, "syncdir") })
			if len(calls) < 2 || slices.Index(calls, "fdatasync x") != len(calls)-1 {
				t.Errorf("kind %d: %q", op.Kind, calls)
			}
		}
		do(t, s, &blocker.Op{Kind: blocker.Sync})
		if calls := tr.take(); slices.ContainsFunc(calls, func(c string) bool { return c == "fdatasync x" }) {
			t.Errorf("a sync finds something to do: %q", calls)
		}
	}
}

// TestToldIsDurable: what is there, or gone, may be the doing of a blocker that was killed before
// its sync: whoever is told of it may rely on it.
func TestToldIsDurable(t *testing.T) {
	s := open(t, nil)
	put(t, s, "keep/x", "1")
	watch(s).on(func(call, _ string) error {
		if call == "syncdir" {
			return unix.EIO // as if it had been killed there
		}
		return nil
	})
	chain := chainDir("l/x")
	_ = blocker.Do(s, &blocker.Op{Kind: blocker.Create, Name: "a/x"})
	_ = blocker.Do(s, &blocker.Op{Kind: blocker.LockAdvance, Name: "l/x"})
	_ = blocker.Do(s, &blocker.Op{Kind: blocker.Delete, Name: "keep/x", Flags: blocker.FlagFUA})
	kill(s)
	s = reopen(t, s)
	tr := watch(s)
	err := blocker.Do(s, &blocker.Op{Kind: blocker.Create, Name: "a/x"})
	if !errors.Is(err, blocker.ErrExists) {
		t.Error(err)
	}
	order(t, tr.take(), "syncdir a", "syncdir .")
	err = blocker.Do(s, &blocker.Op{Kind: blocker.LockAdvance, Name: "l/x"})
	if !errors.Is(err, blocker.ErrConflict) {
		t.Error(err)
	}
	order(t, tr.take(), "syncdir "+chain, "syncdir "+parent(chain), "syncdir l", "syncdir .")
	err = blocker.Do(s, &blocker.Op{Kind: blocker.Delete, Name: "keep/x", Flags: blocker.FlagFUA})
	if !errors.Is(err, blocker.ErrNotFound) {
		t.Error(err)
	}
	order(t, tr.take(), "syncdir keep")
}

// TestDirtyIsNotClosed: a descriptor is closed only after its sync, also when the object is old and
// others want its place.
func TestDirtyIsNotClosed(t *testing.T) {
	for _, direct := range []bool{false, true} {
		s := open(t, func(o *Options) { o.FDCache, o.Direct = 8, direct })
		do(t, s, &blocker.Op{Kind: blocker.Sync})
		tr := watch(s)
		put(t, s, "old", "1")
		for i := range 20 {
			put(t, s, "more/"+string(rune('a'+i)), "1")
		}
		if s.objects["old"] != nil {
			t.Fatal("it is still open: the test shows nothing")
		}
		if n := count(tr.take(), "fdatasync old"); n != 1 {
			t.Errorf("synced %d times before it was closed", n)
		}
	}
}
