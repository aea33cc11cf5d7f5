package node

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
)

// lock is the lock of a node, held for life. It belongs to the open file: it ends with the process,
// whatever the file says.
type lock struct {
	file *os.File
	// transient: the file goes with the lock.
	transient bool
}

// lockPath returns the file whose lock makes a process the node's only supervisor: in the node's
// directory, where a second supervisor on the same storage meets it (by whatever path), or beside
// the segment.
func lockPath(cfg *config.Config) (path string, transient bool) {
	if cfg.Dir != "" {
		return filepath.Join(cfg.Dir, ".lock"), false
	}
	return filepath.Join("/dev/shm", cfg.SegmentName+".lock"), true
}

// takeLock takes the lock of a node, and writes the own pid into its file for those who meet it.
func takeLock(cfg *config.Config) (*lock, error) {
	path, transient := lockPath(cfg)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
		if err != nil {
			return nil, unwritable(path, err)
		}
		l := &lock{f, transient}
		err = l.take(path)
		if err == nil {
			return l, nil
		}
		f.Close()
		// The former holder removed the file between our open and our lock: begin again.
		if !errors.Is(err, errGone) {
			return nil, err
		}
	}
}

var errGone = errors.New("lock file was removed")

func (l *lock) take(path string) error {
	err := unix.FcntlFlock(l.file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return &LockedError{Path: path, PID: readPID(l.file)}
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	if !samePath(l.file, path) {
		return errGone
	}
	if err := l.file.Truncate(0); err != nil {
		return unwritable(path, err)
	}
	if _, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return unwritable(path, err)
	}
	return nil
}

func samePath(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(mine, now)
}

func readPID(f io.ReaderAt) int {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return pid
}

// release gives the lock up. A transient file is removed while it is still locked, so that nobody
// can hold a lock on a file that has no name any more.
func (l *lock) release() error {
	var err error
	if l.transient {
		err = os.Remove(l.file.Name())
	}
	return errors.Join(err, l.file.Close())
}

// holder returns the pid of the process that holds the node's lock; 0 = nobody.
func holder(cfg *config.Config) int {
	path, _ := lockPath(cfg)
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	query := unix.Flock_t{Type: unix.F_RDLCK}
	if unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &query) != nil || query.Type == unix.F_UNLCK {
		return 0
	}
	return readPID(f)
}
