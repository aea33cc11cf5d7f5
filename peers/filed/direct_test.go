package filed

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

func openDirect(t testing.TB) *Store { return open(t, func(o *Options) { o.Direct = true }) }

// TestDirectIsDirect: objects are opened for direct I/O whichever way they come into the cache, and
// aligned data goes to the kernel as it is, in one call.
func TestDirectIsDirect(t *testing.T) {
	s := openDirect(t)
	tr := watch(s)
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "w", Data: alignedBuffer(1 << 20)})
	if n := count(tr.take(), "write w"); n != 1 {
		t.Errorf("an aligned write of 1 MiB is %d calls", n)
	}
	do(t, s, &blocker.Op{Kind: blocker.Replace, Name: "r", Data: []byte("1")})
	do(t, s, &blocker.Op{Kind: blocker.Create, Name: "c", Data: []byte("1")})
	put(t, s, "c", "2")
	for _, name := range []string{"w", "r", "c"} {
		flags, err := unix.FcntlInt(uintptr(s.objects[name].fd), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_DIRECT == 0 {
			t.Errorf("%s: flags %#x (%v)", name, flags, err)
		}
	}
}

// TestDirectBypassesCache: what was written direct isn't in the page cache.
func TestDirectBypassesCache(t *testing.T) {
	s := openDirect(t)
	// Asking has the kernel read ahead, and a fast disk may have done so before the answer: but not
	// every time.
	for i := range 20 {
		if !inPageCache(t, s, fmt.Sprintf("w%d", i)) {
			return
		}
	}
	t.Error("it is in the page cache")
}

// inPageCache writes and reads an object and tells whether it is in the page cache then.
func inPageCache(t *testing.T, s *Store, name string) bool {
	t.Helper()
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: name, Data: alignedBuffer(1 << 20)})
	do(t, s, &blocker.Op{Kind: blocker.Read, Name: name, Data: make([]byte, 1<<20)})
	fd, err := s.disk.open(physical(name), unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	return readNowait(fd, make([]byte, 4096), 8192) == nil
}

// TestDirectFullDisk: a write that finds no room leaves the object as long as it was.
func TestDirectFullDisk(t *testing.T) {
	s := openDirect(t)
	put(t, s, "x", "12345")
	tr := watch(s)
	tr.on(func(call, _ string) error {
		if call == "write" {
			return unix.ENOSPC
		}
		return nil
	})
	err := blocker.Do(s, &blocker.Op{Kind: blocker.Write, Name: "x", Offset: 5, Data: make([]byte, 10000)})
	if !errors.Is(err, blocker.ErrNoSpace) {
		t.Errorf("write: %v", err)
	}
	tr.on(nil)
	if n := do(t, s, &blocker.Op{Kind: blocker.Stat, Name: "x"}).N; n != 5 {
		t.Errorf("size is %d", n)
	}
	got := do(t, s, &blocker.Op{Kind: blocker.Read, Name: "x", Data: make([]byte, 5)})
	if !bytes.Equal(got.Data, []byte("12345")) {
		t.Errorf("holds %q", got.Data)
	}
}

// TestDirectAllowed: file systems where a late write can't be ruled out.
func TestDirectAllowed(t *testing.T) {
	for fs, want := range map[int64]bool{
		unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true,
		unix.NFS_SUPER_MAGIC: false, unix.FUSE_SUPER_MAGIC: false,
	} {
		if err := directAllowed(fs); (err == nil) != want {
			t.Errorf("file system %#x: %v", fs, err)
		}
	}
}

// TestSpans: who comes first goes first, and what doesn't conflict isn't held up.
func TestSpans(t *testing.T) {
	var s spans
	first := s.lock(span{0, 8192, false})
	second := s.lock(span{4096, 8192, false}) // shared
	far := s.lock(span{8192, 12288, true})    // elsewhere
	events := make(chan string)
	go func() {
		unlock := s.lock(span{0, wholeFile, true})
		events <- "whole"
		unlock()
	}()
	waitSpans(&s, 4)
	go func() {
		unlock := s.lock(span{0, 4096, false}) // fits beside those that hold, but came later
		events <- "late"
		unlock()
	}()
	waitSpans(&s, 5)
	first()
	second()
	select {
	case e := <-events:
		t.Errorf("%s got its span too early", e)
	default:
	}
	far()
	if a, b := <-events, <-events; a != "whole" || b != "late" {
		t.Errorf("%s before %s", a, b)
	}
}

// waitSpans waits until n spans hold or wait.
func waitSpans(s *spans, n int) {
	for there := 0; there != n; runtime.Gosched() {
		s.mu.Lock()
		there = len(s.list)
		s.mu.Unlock()
	}
}
