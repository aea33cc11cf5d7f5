package filed

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/blockertest"
)

// small mounts a file system of a few MiB, and skips the test where that can't be.
func small(t *testing.T, kind string) (dir string) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	dir = t.TempDir()
	if kind == "tmpfs" {
		if err := unix.Mount("none", dir, "tmpfs", 0, "size=16m"); err != nil {
			t.Skipf("mount: %v", err)
		}
	} else {
		image := filepath.Join(t.TempDir(), "image")
		for _, cmd := range [][]string{
			{"truncate", "-s", "32M", image},
			{"mkfs." + kind, "-q", image},
			{"mount", "-o", "loop", image, dir},
		} {
			if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
				t.Skipf("%s: %v: %s", cmd[0], err, out)
			}
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// limited is a store on a small disk.
type limited struct{ *Store }

// Fill writes until nothing fits, in smaller and smaller pieces.
func (l limited) Fill() error {
	for off, size := int64(0), 64<<10; size >= 512; {
		err := blocker.Do(l, &blocker.Op{Kind: blocker.Write, Name: "fill", Offset: off, Data: make([]byte, size)})
		switch {
		case err == nil:
			off += int64(size)
		case errors.Is(err, blocker.ErrNoSpace):
			size /= 2
		default:
			return err
		}
	}
	return nil
}

func TestConformanceFull(t *testing.T) {
	for _, kind := range []string{"tmpfs", "ext4"} {
		for _, direct := range []bool{false, true} {
			t.Run(map[bool]string{false: kind, true: kind + " direct"}[direct], func(t *testing.T) {
				blockertest.RunFull(t, func(t *testing.T) blockertest.Limited {
					dir := small(t, kind)
					return limited{open(t, func(o *Options) { o.Dir, o.LockDir, o.Direct = dir, "", direct })}
				})
			})
		}
	}
}

// TestReserve: a store that is full replaces what it has for as long as anybody likes, and has its
// reserve again afterwards.
func TestReserve(t *testing.T) {
	dir := small(t, "tmpfs")
	s := open(t, func(o *Options) { o.Dir, o.LockDir = dir, "" })
	record := bytes.Repeat([]byte{1}, 100<<10)
	do(t, s, &blocker.Op{Kind: blocker.Replace, Name: "v/x", Data: record})
	if err := (limited{s}).Fill(); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		record[0] = byte(10 + i)
		do(t, s, &blocker.Op{Kind: blocker.Replace, Name: "v/x", Data: record})
		got := do(t, s, &blocker.Op{Kind: blocker.Read, Name: "v/x", Data: make([]byte, len(record))})
		if !bytes.Equal(got.Data, record) {
			t.Error("replaced on a full disk, but holds something else")
		}
	}
	for s.spare.spent.Swap(true) { // use it up
		if _, _, err := s.spare.write(nil, func() error { return nil }); err != nil {
			break
		}
	}
	do(t, s, &blocker.Op{Kind: blocker.Delete, Name: "fill"})
	st, err := os.Stat(filepath.Join(dir, reserveName))
	if err != nil || st.Size() != blocker.MaxAtomic || s.spare.spent.Load() {
		t.Errorf("the reserve after a deletion: %v", err)
	}
}

// TestReserveComesBack: room that somebody else has made is seen, too.
func TestReserveComesBack(t *testing.T) {
	dir := small(t, "tmpfs")
	s := open(t, func(o *Options) { o.Dir, o.LockDir = dir, "" })
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "other", Data: make([]byte, 6<<20)})
	if err := (limited{s}).Fill(); err != nil {
		t.Fatal(err)
	}
	remove := &blocker.Op{Kind: blocker.Replace, Name: "t/x.1", Data: []byte{1}, Flags: blocker.FlagReserve}
	do(t, s, remove)
	if err := (limited{s}).Fill(); err != nil {
		t.Fatal(err)
	}
	if !s.last.spent.Load() {
		t.Fatal("the reserve wasn't used")
	}
	if err := os.Remove(filepath.Join(dir, physical("other"))); err != nil {
		t.Fatal(err)
	}
	s.drop("other") // its descriptor would keep the space
	for deadline := time.Now().Add(20 * time.Second); s.last.spent.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("there is room, and no reserve")
		}
	}
}
