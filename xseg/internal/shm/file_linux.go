package shm

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Dir is where POSIX shared memory lives.
const Dir = "/dev/shm"

// Path returns the file of the segment name.
func Path(name string) string { return Dir + "/" + name }

// File is an open segment file. It is close-on-exec and never handed on: the locks taken through
// it end with the process, and only then.
type File struct {
	fd   int
	size int64
}

// CreateFile makes an unnamed file of the given size, with memory behind its first backed bytes.
// Publish gives it its name.
func CreateFile(size, backed int64, mode uint32) (*File, error) {
	fd, err := unix.Open(Dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, mode)
	if err != nil {
		return nil, fmt.Errorf("make a file in %s: %w", Dir, err)
	}
	f := &File{fd: fd, size: size}
	if err := f.prepare(backed, mode); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *File) prepare(backed int64, mode uint32) error {
	if err := unix.Fchmod(f.fd, mode); err != nil { // the umask may have taken bits away
		return fmt.Errorf("set mode: %w", err)
	}
	if err := unix.Ftruncate(f.fd, f.size); err != nil {
		return fmt.Errorf("set size: %w", err)
	}
	return f.Back(0, backed)
}

// Publish links the file as name. The link appears with the file's whole content or not at all;
// os.ErrExist if the name is taken.
func (f *File) Publish(name string, group int) error {
	if group >= 0 {
		if err := unix.Fchown(f.fd, -1, group); err != nil {
			return fmt.Errorf("set group %d: %w", group, err)
		}
	}
	self := fmt.Sprintf("/proc/self/fd/%d", f.fd)
	return unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, Path(name), unix.AT_SYMLINK_FOLLOW)
}

// OpenFile opens the segment file name; os.ErrNotExist if there is none.
func OpenFile(name string) (*File, error) {
	fd, err := unix.Open(Path(name), unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: Path(name), Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "stat", Path: Path(name), Err: err}
	}
	return &File{fd: fd, size: st.Size}, nil
}

// Size returns the size of the file when it was opened.
func (f *File) Size() int64 { return f.size }

// Map maps the whole file. Nothing is populated: pages appear as they are touched.
func (f *File) Map() ([]byte, error) {
	mem, err := unix.Mmap(f.fd, 0, int(f.size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", f.size, err)
	}
	// A core dump of a peer must not contain the guests' data. Best effort: only a nicety.
	_ = unix.Madvise(mem, unix.MADV_DONTDUMP)
	return mem, nil
}

// Unmap undoes Map.
func Unmap(mem []byte) error { return unix.Munmap(mem) }

// Back puts memory behind [off, off+n), so that touching it can't fail. ENOSPC if there is none.
func (f *File) Back(off, n int64) error { return f.fallocate(0, off, n) }

// Punch gives the memory of [off, off+n) back; it reads as zeros afterwards.
func (f *File) Punch(off, n int64) error {
	return f.fallocate(unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}

// fallocate repeats the call while signals interrupt it: the runtime preempts by signals.
func (f *File) fallocate(mode uint32, off, n int64) error {
	for {
		err := unix.Fallocate(f.fd, mode, off, n)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Close closes the file and with it gives up all locks taken through it.
func (f *File) Close() error { return unix.Close(f.fd) }
