package fused

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mountable skips the test where FUSE can't be mounted.
func mountable(t *testing.T) {
	t.Helper()
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("FUSE can't be used: %v", err)
	} else {
		f.Close()
	}
	if _, err := exec.LookPath("fusermount3"); err != nil && os.Geteuid() != 0 {
		t.Skip("neither root nor fusermount3: nothing can be mounted")
	}
}

// tempDir is a directory under a name that the reaper of killed runs knows.
func tempDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "archip-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// mountFake mounts a backend until the test ends, and returns the directory.
func mountFake(t *testing.T, b Backend) string {
	t.Helper()
	mountable(t)
	path := filepath.Join(tempDir(t), "volumes")
	m := mountAt(t, path, b)
	t.Cleanup(m.Unmount)
	return path
}

func mountAt(t *testing.T, path string, b Backend) *Mount {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	m, err := MountAt(path, "test", NewFS(b, log), log)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAttributes(t *testing.T) {
	b := newFake()
	b.add("disk", 3<<20, 0)
	b.add("still", 5<<20, flagReadOnly)
	dir := mountFake(t, b)
	for _, c := range []struct {
		name string
		size int64
		mode os.FileMode
	}{{"disk", 3 << 20, 0o660}, {"still", 5 << 20, 0o440}} {
		st, err := os.Stat(filepath.Join(dir, c.name))
		if err != nil {
			t.Fatal(err)
		}
		if st.Size() != c.size || st.Mode() != c.mode || st.ModTime().Unix() != 1700000000 {
			t.Errorf("%s: %d bytes, mode %v, of %v", c.name, st.Size(), st.Mode(), st.ModTime())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what isn't there: %v", err)
	}
}

// TestData: what is written is read, at any alignment and length, through the kernel.
func TestData(t *testing.T) {
	b := newFake()
	v := b.add("disk", 8<<20, 0)
	dir := mountFake(t, b)
	f, err := os.OpenFile(filepath.Join(dir, "disk"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := make([]byte, 8<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		off := rng.Int64N(8 << 20)
		n := min(rng.Int64N(3<<20)+1, 8<<20-off)
		data := bytes.Repeat([]byte{byte(rng.Uint32())}, int(n))
		copy(want[off:], data)
		if _, err := f.WriteAt(data, off); err != nil {
			t.Fatal(err)
		}
		at := rng.Int64N(8 << 20)
		got := make([]byte, min(rng.Int64N(2<<20)+1, 8<<20-at))
		if _, err := f.ReadAt(got, at); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want[at:at+int64(len(got))]) {
			t.Fatalf("%d bytes at %d differ", len(got), at)
		}
	}
	if !bytes.Equal(v.content(), want) {
		t.Error("the volume differs")
	}
}

// TestEnd: at the end of the volume reads and writes are short, behind it there is nothing.
func TestEnd(t *testing.T) {
	b := newFake()
	v := b.add("disk", 1<<20, 0)
	dir := mountFake(t, b)
	f, err := os.OpenFile(filepath.Join(dir, "disk"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	buf := make([]byte, 8192)
	if n, err := unix.Pread(fd, buf, 1<<20-100); n != 100 || err != nil {
		t.Errorf("read over the end: %d, %v", n, err)
	}
	if n, err := unix.Pread(fd, buf, 2<<20); n != 0 || err != nil {
		t.Errorf("read behind the end: %d, %v", n, err)
	}
	if n, err := unix.Pwrite(fd, buf, 1<<20-100); n != 100 || err != nil {
		t.Errorf("write over the end: %d, %v", n, err)
	}
	if _, err := unix.Pwrite(fd, buf, 1<<20); err != unix.ENOSPC {
		t.Errorf("write at the end: %v", err)
	}
	v.resize(2 << 20)
	if n, err := unix.Pwrite(fd, buf, 1<<20); n != len(buf) || err != nil {
		t.Errorf("write at the old end of a volume that has grown: %d, %v", n, err)
	}
	if st, err := f.Stat(); err != nil || st.Size() != 2<<20 {
		t.Errorf("size after it has grown: %v, %v", st.Size(), err)
	}
	v.resize(1 << 20)
	if n, err := unix.Pread(fd, buf, 1<<20-100); n != 100 || err != nil {
		t.Errorf("read over the end of a volume that was cut: %d, %v", n, err)
	}
}

func TestDurability(t *testing.T) {
	b := newFake()
	v := b.add("disk", 1<<20, 0)
	dir := mountFake(t, b)
	f, err := os.OpenFile(filepath.Join(dir, "disk"), os.O_RDWR|os.O_SYNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.Write([]byte("x"))
	fua, before := v.durable()
	if err != nil || fua == 0 && before == 0 {
		t.Errorf("write of a file opened O_SYNC: %v, %d with FUA, %d flushes", err, fua, before)
	}
	err = f.Sync()
	if _, after := v.durable(); err != nil || after != before+1 {
		t.Errorf("fsync: %v, %d flushes", err, after-before)
	}
}

func TestFallocate(t *testing.T) {
	b := newFake()
	v := b.add("disk", 1<<20, 0)
	for i := range v.data {
		v.data[i] = 1
	}
	b.add("still", 1<<20, flagReadOnly)
	dir := mountFake(t, b)
	f, err := os.OpenFile(filepath.Join(dir, "disk"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const punch, zero, keep = unix.FALLOC_FL_PUNCH_HOLE, unix.FALLOC_FL_ZERO_RANGE, unix.FALLOC_FL_KEEP_SIZE
	for _, c := range []struct {
		mode   uint32
		off, n int64
		want   error
	}{
		{punch | keep, 4096, 4096, nil},
		{zero, 16384, 4096, nil},
		{zero | keep, 1<<20 - 4096, 8192, nil},
		{zero, 1<<20 - 4096, 8192, unix.EFBIG},
		{0, 0, 4096, unix.EOPNOTSUPP},
		{keep, 0, 4096, unix.EOPNOTSUPP},
		{unix.FALLOC_FL_COLLAPSE_RANGE, 0, 4096, unix.EOPNOTSUPP},
	} {
		if err := unix.Fallocate(int(f.Fd()), c.mode, c.off, c.n); err != c.want && (c.want != nil || err != nil) {
			t.Errorf("fallocate %#x of %d at %d: %v, want %v", c.mode, c.n, c.off, err, c.want)
		}
	}
	for i, x := range v.content() {
		zeroed := i >= 4096 && i < 8192 || i >= 16384 && i < 20480 || i >= 1<<20-4096
		if (x == 0) != zeroed {
			t.Fatalf("byte %d is %d", i, x)
		}
	}
}

func TestSeek(t *testing.T) {
	const block = 64 << 10
	b := newFake()
	v := b.add("disk", 8*block, 0)
	v.data[2*block+100], v.data[3*block], v.data[6*block] = 1, 1, 1
	dir := mountFake(t, b)
	f, err := os.Open(filepath.Join(dir, "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		from   int64
		whence int
		want   int64 // -1: ENXIO
	}{
		{0, unix.SEEK_DATA, 2 * block},
		{0, unix.SEEK_HOLE, 0},
		{2*block + 9, unix.SEEK_DATA, 2*block + 9},
		{2*block + 9, unix.SEEK_HOLE, 4 * block},
		{6 * block, unix.SEEK_HOLE, 7 * block},
		{7 * block, unix.SEEK_DATA, -1},
		{7 * block, unix.SEEK_HOLE, 7 * block},
		{8 * block, unix.SEEK_HOLE, -1},
	} {
		got, err := unix.Seek(int(f.Fd()), c.from, c.whence)
		if c.want < 0 && err == unix.ENXIO {
			continue
		}
		if got != c.want || err != nil {
			t.Errorf("seek %d from %d: %d, %v, want %d", c.whence, c.from, got, err, c.want)
		}
	}
	if end, err := f.Seek(0, io.SeekEnd); end != 8*block || err != nil {
		t.Errorf("seek to the end: %d, %v", end, err)
	}
}

func TestRefused(t *testing.T) {
	b := newFake()
	b.add("disk", 1<<20, 0)
	b.add("still", 1<<20, flagReadOnly)
	b.add("locked", 1<<20, 0).openErr = fmt.Errorf("open: %w", unix.EBUSY)
	dir := mountFake(t, b)
	at := func(name string) string { return filepath.Join(dir, name) }
	create := func() error { _, err := os.OpenFile(at("new"), os.O_CREATE|os.O_WRONLY, 0o600); return err }
	open := func(name string, flags int) error {
		f, err := os.OpenFile(at(name), flags, 0)
		if err == nil {
			f.Close()
		}
		return err
	}
	for what, c := range map[string]struct{ got, want error }{
		"create":            {create(), unix.EPERM},
		"mkdir":             {os.Mkdir(at("new"), 0o700), unix.EPERM},
		"unlink":            {os.Remove(at("disk")), unix.EPERM},
		"rename":            {os.Rename(at("disk"), at("other")), unix.EPERM},
		"link":              {os.Link(at("disk"), at("other")), unix.EPERM},
		"symlink":           {os.Symlink("disk", at("other")), unix.EPERM},
		"truncate":          {os.Truncate(at("disk"), 0), unix.EPERM},
		"open O_TRUNC":      {open("disk", os.O_WRONLY|os.O_TRUNC), unix.EPERM},
		"chmod":             {os.Chmod(at("disk"), 0o777), unix.EPERM},
		"write a snapshot":  {open("still", os.O_RDWR), unix.EROFS},
		"read a snapshot":   {open("still", os.O_RDONLY), nil},
		"locked":            {open("locked", os.O_RDWR), unix.EBUSY},
		"truncate to size":  {os.Truncate(at("disk"), 1<<20), nil},
		"what isn't a name": {open(".hidden", os.O_RDONLY), unix.ENOENT},
	} {
		// Who isn't root isn't even allowed to try to write a snapshot, or the directory.
		if os.Geteuid() != 0 && errors.Is(c.got, unix.EACCES) && c.want != nil {
			continue
		}
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
}

// TestErrors: what the volume says reaches who reads and writes.
func TestErrors(t *testing.T) {
	b := newFake()
	v := b.add("disk", 1<<20, 0)
	dir := mountFake(t, b)
	f, err := os.OpenFile(filepath.Join(dir, "disk"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for errno, want := range map[syscall.Errno]syscall.Errno{
		syscall.ENOSPC: syscall.ENOSPC, syscall.EIO: syscall.EIO, syscall.EBUSY: syscall.EBUSY,
		syscall.EUCLEAN: syscall.EIO, syscall.EAGAIN: syscall.EBUSY, syscall.ESTALE: syscall.ESTALE,
	} {
		v.fail(errno)
		if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, want) {
			t.Errorf("write with %v: %v", errno, err)
		}
		if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, want) {
			t.Errorf("read with %v: %v", errno, err)
		}
		if err := f.Sync(); !errors.Is(err, want) {
			t.Errorf("fsync with %v: %v", errno, err)
		}
	}
}

// TestSuccessor: an open file is of one volume, never of a successor of its name.
func TestSuccessor(t *testing.T) {
	b := newFake()
	b.add("disk", 1<<20, 0)
	dir := mountFake(t, b)
	path := filepath.Join(dir, "disk")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	old, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b.remove("disk")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat of a volume that was removed: %v", err)
	}
	b.add("disk", 2<<20, 0)
	now, err := os.Stat(path)
	if err != nil || now.Size() != 2<<20 || os.SameFile(old, now) {
		t.Errorf("stat of its successor: %v, %v", now, err)
	}
	if _, err := f.Stat(); !errors.Is(err, unix.ESTALE) {
		t.Errorf("stat of the file that was opened before: %v", err)
	}
}

// TestList: many names come page by page, and a rewound directory shows what is there then.
func TestList(t *testing.T) {
	b := newFake()
	var want []string
	for i := range 5000 {
		name := fmt.Sprintf("volume-with-a-rather-long-name-%05d", i)
		b.add(name, 512, 0)
		want = append(want, name)
	}
	dir := mountFake(t, b)
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if first, err := d.Readdirnames(3); err != nil || len(first) != 3 || b.pages() != 1 {
		t.Errorf("the first names: %v, %v, after %d pages", first, err, b.pages())
	}
	rest, err := d.Readdirnames(-1)
	if err != nil || len(rest) != 4997 || !slices.Equal(rest, want[3:]) {
		t.Errorf("the rest: %d names, %v", len(rest), err)
	}
	b.remove(want[0])
	if _, err := d.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	again, err := d.Readdirnames(-1)
	if err != nil || !slices.Equal(again, want[1:]) {
		t.Errorf("after one was removed: %d names, %v", len(again), err)
	}
}

// TestParallel: requests of one file don't wait for each other.
func TestParallel(t *testing.T) {
	const users = 8
	b := newFake()
	v := b.add("disk", 1<<20, 0)
	v.arrived, v.gate = make(chan struct{}), make(chan struct{})
	dir := mountFake(t, b)
	f, err := os.OpenFile(filepath.Join(dir, "disk"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var wg sync.WaitGroup
	for i := range users {
		wg.Go(func() {
			if _, err := f.WriteAt([]byte{byte(i)}, int64(i)); err != nil {
				t.Error(err)
			}
		})
	}
	for range users {
		<-v.arrived // or the test hangs, and its time runs out
	}
	close(v.gate)
	wg.Wait()
}

// TestStaleMount: what a killed predecessor left is taken away, another file system isn't.
func TestStaleMount(t *testing.T) {
	mountable(t)
	path := filepath.Join(tempDir(t), "volumes")
	b := newFake()
	b.add("disk", 1<<20, 0)
	first := mountAt(t, path, b)
	second := mountAt(t, path, b)
	if err := first.Wait(); !errors.Is(err, ErrUnmounted) {
		t.Errorf("the first one ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(path, "disk")); err != nil {
		t.Error(err)
	}
	second.Unmount()
	if mounted(path) {
		t.Error("still mounted")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can mount another file system")
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("test", path, "tmpfs", 0, ""); err != nil {
		t.Skipf("no tmpfs can be mounted: %v", err)
	}
	defer unix.Unmount(path, unix.MNT_DETACH)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if _, err := MountAt(path, "test", NewFS(b, log), log); err == nil {
		t.Error("mounted over another file system")
	}
}

// TestUnmountBusy: a stop isn't held up by an open file, whose user then gets an error.
func TestUnmountBusy(t *testing.T) {
	mountable(t)
	path := filepath.Join(tempDir(t), "volumes")
	b := newFake()
	b.add("disk", 1<<20, 0)
	m := mountAt(t, path, b)
	f, err := os.OpenFile(filepath.Join(path, "disk"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	m.Unmount()
	if mounted(path) {
		t.Error("still mounted")
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, unix.EHOSTDOWN) {
		t.Errorf("read after the end: %v", err)
	}
	f.Close()
	<-m.ended
}

func TestParseMount(t *testing.T) {
	for line, want := range map[string][2]string{
		`36 35 98:0 / /mnt rw,noatime master:1 - ext4 /dev/root rw`:            {"/mnt", "ext4"},
		`36 35 0:50 / /a\040b rw - fuse.archipelago seg rw,user_id=0`:          {"/a b", "fuse.archipelago"},
		`36 35 0:50 / /x rw shared:1 propagate_from:2 - fuse.archipelago s rw`: {"/x", "fuse.archipelago"},
		``:                         {},
		`nonsense`:                 {},
		`1 2 3 - ext4 /dev/sda rw`: {},
	} {
		if path, typ := parseMount(line); path != want[0] || typ != want[1] {
			t.Errorf("%q: %q, %q", line, path, typ)
		}
	}
}
