package filed

import (
	"os"

	"golang.org/x/sys/unix"
)

const (
	fileMode = 0o660
	dirMode  = 0o770
)

// disk is a directory tree; paths are relative to its root.
type disk struct {
	dir  string // as configured, for messages
	root int    // descriptor
	// observe is told of each call that changes the tree or makes something durable, before it is
	// made, and may fail it: for tests. Usually nil.
	observe func(call, path string) error
}

func (d *disk) note(call, name string) error {
	if d.observe == nil {
		return nil
	}
	return d.observe(call, name)
}

// again repeats a system call that the runtime's preemption signal has interrupted.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

func (d *disk) open(name string, flags int) (fd int, err error) {
	if flags&unix.O_CREAT != 0 {
		if err := d.note("creat", name); err != nil {
			return -1, err
		}
	}
	err = again(func() error {
		fd, err = unix.Openat(d.root, name, flags|unix.O_CLOEXEC, fileMode)
		return err
	})
	return fd, err
}

func (d *disk) mkdir(name string) error {
	if err := d.note("mkdir", name); err != nil {
		return err
	}
	return again(func() error { return unix.Mkdirat(d.root, name, dirMode) })
}

func (d *disk) rename(from, to string) error {
	if err := d.note("rename", to); err != nil {
		return err
	}
	return again(func() error { return unix.Renameat(d.root, from, d.root, to) })
}

func (d *disk) link(from, to string) error {
	if err := d.note("link", to); err != nil {
		return err
	}
	return again(func() error { return unix.Linkat(d.root, from, d.root, to, 0) })
}

func (d *disk) unlink(name string) error {
	if err := d.note("unlink", name); err != nil {
		return err
	}
	return again(func() error { return unix.Unlinkat(d.root, name, 0) })
}

func (d *disk) rmdir(name string) error {
	return again(func() error { return unix.Unlinkat(d.root, name, unix.AT_REMOVEDIR) })
}

// fdatasync makes the content of the file durable: name is for messages.
func (d *disk) fdatasync(fd int, name string) error {
	if err := d.note("fdatasync", name); err != nil {
		return err
	}
	return again(func() error { return unix.Fdatasync(fd) })
}

// syncDir makes the entries of a directory durable. One that is gone has none.
func (d *disk) syncDir(name string) error {
	if err := d.note("syncdir", name); err != nil {
		return err
	}
	fd, err := d.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return again(func() error { return unix.Fsync(fd) })
}

func (d *disk) syncfs() error {
	if err := d.note("syncfs", "."); err != nil {
		return err
	}
	return again(func() error { return unix.Syncfs(d.root) })
}

// readDir returns the entries of a directory, in no order; none if it isn't there.
func (d *disk) readDir(name string) ([]os.DirEntry, error) {
	if err := d.note("readdir", name); err != nil {
		return nil, err
	}
	fd, err := d.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err == unix.ENOENT || err == unix.ENOTDIR {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return f.ReadDir(-1)
}

// write writes all of p.
func (d *disk) write(fd int, name string, p []byte, off int64) error {
	if err := d.note("write", name); err != nil {
		return err
	}
	for len(p) > 0 {
		n, err := unix.Pwrite(fd, p, off)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// cachePiece is how much of a long write goes to the page cache at once. Linux keeps what one call
// writes in pages as large as the call (folios, up to megabytes), and walks over all blocks of such
// a page for each later write into it, however small: a 4 KiB write into data that came 4 MiB at
// once takes three to four times as long on ext4 as into data that came in pieces of this size, and
// the long write itself is no faster.
const cachePiece = 64 << 10

// writeBuffered writes all of p through the page cache, aligned in the file so that the pages are.
func (d *disk) writeBuffered(fd int, name string, p []byte, off int64) error {
	for len(p) > cachePiece {
		n := cachePiece - int(off%cachePiece)
		if err := d.write(fd, name, p[:n], off); err != nil {
			return err
		}
		p, off = p[n:], off+int64(n)
	}
	return d.write(fd, name, p, off)
}

func (d *disk) truncate(fd int, name string, size int64) error {
	if err := d.note("truncate", name); err != nil {
		return err
	}
	return again(func() error { return unix.Ftruncate(fd, size) })
}

// readFull fills p; past the end: zeros.
func readFull(fd int, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := unix.Pread(fd, p, off)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			clear(p)
			return nil
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// readNowait fills p from the page cache alone; past the end: zeros. It returns an error if that
// can't be done now (or never, on this file system): p may have been changed then.
func readNowait(fd int, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := preadNowait(fd, p, off)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		// A short count is either the end or the edge of what is cached: the next one tells.
		if n == 0 {
			clear(p)
			return nil
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func fstat(fd int) (st unix.Stat_t, err error) {
	err = again(func() error { return unix.Fstat(fd, &st) })
	return st, err
}

// punch gives the space of a range back.
func (d *disk) punch(fd int, name string, off, length int64) error {
	if err := d.note("punch", name); err != nil {
		return err
	}
	const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	return again(func() error { return unix.Fallocate(fd, mode, off, length) })
}

// allocate gives a file length bytes of space.
func (d *disk) allocate(fd int, name string, length int64) error {
	if err := d.note("allocate", name); err != nil {
		return err
	}
	return again(func() error { return unix.Fallocate(fd, 0, 0, length) })
}

// seek is lseek. It moves the descriptor's own offset, which nothing else here uses.
func seek(fd int, off int64, whence int) (n int64, err error) {
	err = again(func() error {
		n, err = unix.Seek(fd, off, whence)
		return err
	})
	return n, err
}
