package filed

import (
	"fmt"
	"path"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// tempDir is where files are written before they get their names; a directory per owner, so that
// each one reaps its own.
const tempDir = ".tmp"

// temps makes files that have no name of an object yet.
type temps struct {
	disk *disk
	dir  string
	lock int // descriptor that holds the lock of dir
	next atomic.Uint64
}

// openTemps takes the owner's directory for the life of the store and removes what a killed
// predecessor has left in it. ErrInUse if another store has it.
func openTemps(d *disk, owner string) (*temps, error) {
	t := &temps{disk: d, dir: path.Join(tempDir, owner)}
	for _, dir := range []string{tempDir, t.dir} {
		if err := d.mkdir(dir); err != nil && err != unix.EEXIST {
			return nil, fmt.Errorf("directory %s: make %s: %w", d.dir, dir, err)
		}
	}
	var err error
	if t.lock, err = d.open(t.dir, unix.O_RDONLY|unix.O_DIRECTORY); err != nil {
		return nil, fmt.Errorf("directory %s: open %s: %w", d.dir, t.dir, err)
	}
	if err := t.reap(); err != nil {
		unix.Close(t.lock)
		return nil, err
	}
	return t, nil
}

func (t *temps) reap() error {
	err := again(func() error { return unix.Flock(t.lock, unix.LOCK_EX|unix.LOCK_NB) })
	if err == unix.EWOULDBLOCK {
		return fmt.Errorf("directory %s: %w (%s)", t.disk.dir, ErrInUse, t.dir)
	}
	if err != nil {
		return fmt.Errorf("directory %s: lock %s: %w", t.disk.dir, t.dir, err)
	}
	left, err := t.disk.readDir(t.dir)
	if err != nil {
		return fmt.Errorf("directory %s: %w", t.disk.dir, err)
	}
	for _, e := range left {
		if err := t.disk.unlink(path.Join(t.dir, e.Name())); err != nil {
			return fmt.Errorf("directory %s: remove %s: %w", t.disk.dir, path.Join(t.dir, e.Name()), err)
		}
	}
	return nil
}

// name returns the path of a file that doesn't exist yet.
func (t *temps) name() string {
	return path.Join(t.dir, strconv.FormatUint(t.next.Add(1), 10))
}

// write makes a file with that content, durably, and returns its path and descriptor. The caller
// closes it, and removes or renames it.
func (t *temps) write(data []byte) (name string, fd int, err error) {
	name = t.name()
	fd, err = t.disk.open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return "", -1, err
	}
	if err = t.fill(fd, name, data); err != nil {
		t.discard(name, fd)
		return "", -1, err
	}
	return name, fd, nil
}

func (t *temps) fill(fd int, name string, data []byte) error {
	if err := t.disk.write(fd, name, data, 0); err != nil {
		return err
	}
	// Before the name appears: nobody must find it with less than its content after a power cut.
	return t.disk.fdatasync(fd, name)
}

// discard removes a file that didn't get a name. What can't be removed now is reaped at the next
// start.
func (t *temps) discard(name string, fd int) {
	unix.Close(fd)
	_ = t.disk.unlink(name)
}

func (t *temps) close() { unix.Close(t.lock) }
