package kill

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/volume"
	"archipelago/peers/blocker"
	"archipelago/test/load"
	"archipelago/test/testnode"
)

// smallDisk mounts an ext4 of so many MiB on a loop device and returns where, and the device. The
// mount ends with the test, and the device with the mount.
func smallDisk(t *testing.T, mib int) (dir, device string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	base := testnode.TempDir(t)
	image := filepath.Join(base, "image")
	dir = filepath.Join(base, "disk")
	for _, cmd := range [][]string{
		{"mkdir", dir},
		{"truncate", "-s", strconv.Itoa(mib) + "M", image},
		{"mkfs.ext4", "-q", "-m", "0", image},
		{"mount", "-o", "loop,errors=remount-ro", image, dir},
	} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%s: %v: %s", cmd[0], err, out)
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, mountedDevice(t, dir)
}

func mountedDevice(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("findmnt", "-n", "-o", "SOURCE", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// fill writes a volume until nothing fits any more. A request that fails may have been written in
// part, so pieces get smaller.
func fill(t *testing.T, c *volume.Client, name string, size int64) {
	t.Helper()
	if _, err := c.Create(t.Context(), name, size, 0); err != nil {
		t.Fatal(err)
	}
	v, err := c.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	full := false
	piece := bytes.Repeat([]byte{1}, 1<<20)
	for off := int64(0); off+int64(len(piece)) <= size; {
		err := v.WriteAt(t.Context(), piece, off)
		switch {
		case err == nil:
			off += int64(len(piece))
		case !forgiven(syscall.ENOSPC)(err):
			t.Fatalf("on a disk that gets full: %v", err)
		case len(piece) == 4096:
			return
		default:
			full, piece = true, piece[:len(piece)/4]
		}
	}
	if !full {
		t.Fatal("the disk didn't get full")
	}
}

// TestFullDisk: on a disk that is full writes fail with ENOSPC; what was acknowledged stays, also
// when peers are killed; remove works, and makes room; then everything goes on.
func TestFullDisk(t *testing.T) {
	dir, _ := smallDisk(t, 48)
	n := testnode.StartWith(t, testnode.Options{Dir: filepath.Join(dir, "node")})
	s := &storm{t: t, n: n, rng: seeded(t)}
	c := n.Dial()
	defer c.Close()
	d := s.disk(c, "vol", diskBlocks)
	dev, err := d.open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := underLoad(t.Context(), d, dev, func() { time.Sleep(100 * time.Millisecond) }); err != nil { // of load
		t.Fatal(err)
	}
	d.checker.Forgive = forgiven(syscall.ENOSPC)
	for range strikes(2, 20) {
		err := underLoad(t.Context(), d, dev, func() {
			fill(t, c, "filler", 64<<20)
			s.kill(pick(s.rng, n, 2))
			time.Sleep(200 * time.Millisecond) // of load on a full disk
		})
		if err = errors.Join(err, d.checker.CheckAll(t.Context(), dev)); err != nil {
			t.Fatal(err)
		}
		if err := c.Remove(t.Context(), "filler"); err != nil {
			t.Fatalf("remove on a full disk: %v", err)
		}
		roomAgain(t, d, dev)
		reserved(t, n)
	}
	d.checker.Forgive = nil
	if err := underLoad(t.Context(), d, dev, func() { time.Sleep(100 * time.Millisecond) }); err != nil { // of load
		t.Fatalf("when there is room again: %v", err)
	}
	if err := errors.Join(dev.Flush(t.Context()), d.checker.CheckAll(t.Context(), dev)); err != nil {
		t.Fatal(err)
	}
	n.Vlmc("check")
	n.Stop() // before its disk goes
}

// roomAgain waits until space has come back: it does so in the background.
func roomAgain(t *testing.T, d *disk, dev load.Device) {
	t.Helper()
	buf := make([]byte, load.BlockSize)
	for deadline := time.Now().Add(testnode.Patience); ; time.Sleep(10 * time.Millisecond) {
		var err error
		for i := 0; i < diskBlocks && err == nil; i += 16 {
			err = d.checker.Write(t.Context(), dev, i, buf)
		}
		if err == nil {
			return
		}
		if !forgiven(syscall.ENOSPC)(err) || time.Now().After(deadline) {
			t.Fatalf("after a remove: %v", err)
		}
	}
}

// reserved waits until the stores have made their reserves again, which they do once there is room.
func reserved(t *testing.T, n *testnode.Node) {
	t.Helper()
	maps := n.Config().Role("blockerm").ArchipDir
	for deadline := time.Now().Add(testnode.Patience); ; time.Sleep(5 * time.Millisecond) {
		st, err := os.Stat(filepath.Join(maps, ".reserve-remove"))
		if err == nil && st.Size() == blocker.MaxAtomic {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("there is room, and no reserve: %v", err)
		}
	}
}

// TestFrozenDisk: a file system that stands still, as behind a storage that has gone away for a
// while, is a pause: also beyond the watchdog, whose SIGKILL works only when the file system does.
func TestFrozenDisk(t *testing.T) {
	hang := 2 * time.Second
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		hang = 20 * time.Second
	}
	dir, _ := smallDisk(t, 64)
	n := testnode.StartWith(t, testnode.Options{Dir: filepath.Join(dir, "node")})
	s := &storm{t: t, n: n, rng: seeded(t)}
	c := n.Dial()
	defer c.Close()
	d := s.disk(c, "vol", diskBlocks)
	dev, err := d.open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	err = underLoad(t.Context(), d, dev, func() {
		freeze(t, dir, hang)
		if err := dev.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if err = errors.Join(err, d.checker.CheckAll(t.Context(), dev)); err != nil {
		t.Fatal(err)
	}
	s.tally.stalls(d)
	t.Logf("%v", &s.tally)
	n.Stop()
}

// freeze stops all writing to a file system for a while.
func freeze(t *testing.T, dir string, d time.Duration) {
	t.Helper()
	for _, call := range []string{"-f", "-u"} {
		if out, err := exec.Command("fsfreeze", call, dir).CombinedOutput(); err != nil {
			t.Fatalf("fsfreeze %s: %v: %s", call, err, out)
		}
		if call == "-f" {
			time.Sleep(d) // it stands still
		}
	}
}

// TestDiskTurnsReadOnly: ext4 that has seen an error refuses to write. Clients get errors for
// writes, reads go on, and when the disk was mended and the node started again, all that a flush
// had covered is there.
func TestDiskTurnsReadOnly(t *testing.T) {
	dir, device := smallDisk(t, 64)
	trigger := filepath.Join("/sys/fs/ext4", filepath.Base(device), "trigger_fs_error")
	if _, err := os.Stat(trigger); err != nil {
		t.Skipf("this kernel can't pretend that a file system is broken: %v", err)
	}
	n := testnode.StartWith(t, testnode.Options{Dir: filepath.Join(dir, "node")})
	s := &storm{t: t, n: n, rng: seeded(t)}
	c := n.Dial()
	d := s.disk(c, "vol", diskBlocks)
	dev, err := d.open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := underLoad(t.Context(), d, dev, func() { time.Sleep(200 * time.Millisecond) }); err != nil { // of load
		t.Fatal(err)
	}
	if err := errors.Join(dev.Flush(t.Context()), d.checker.CheckAll(t.Context(), dev)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(trigger, []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("")
	d.checker.Forgive = func(err error) bool { refused = err; return forgiven(syscall.EIO, syscall.EROFS)(err) }
	buf := make([]byte, load.BlockSize)
	for i := range 20 {
		if err := d.checker.Write(t.Context(), dev, i, buf); err == nil || !d.checker.Forgive(err) {
			t.Errorf("write to a disk that is read-only: %v", err)
		}
	}
	if err := d.checker.CheckAll(t.Context(), dev); err != nil {
		t.Errorf("read: %v", err)
	}
	t.Logf("writes end with: %v", refused)
	_ = c.Close()
	n.KillAll() // a stop in good order can't be: nothing can be flushed
	mend(t, dir)
	n.Run()
	c = n.Dial()
	defer c.Close()
	if dev, err = d.open(context.WithoutCancel(t.Context()), c); err == nil {
		err = d.checker.CheckAll(t.Context(), dev)
	}
	if err != nil {
		t.Fatal(err)
	}
	n.Stop()
}

// mend unmounts a file system, checks it and mounts it again.
func mend(t *testing.T, dir string) {
	t.Helper()
	image := filepath.Join(filepath.Dir(dir), "image")
	if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
		t.Fatalf("umount: %v: %s", err, out)
	}
	// Exit status 1: errors were corrected.
	if out, err := exec.Command("e2fsck", "-f", "-y", image).CombinedOutput(); err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 1 {
			t.Fatalf("e2fsck: %v: %s", err, out)
		}
	}
	if out, err := exec.Command("mount", "-o", "loop,errors=remount-ro", image, dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
}
