package shm

import (
	"errors"

	"golang.org/x/sys/unix"
)

// TryLock takes the exclusive lock on the byte at pos; false if another open of the file holds
// it. The lock belongs to this open: it ends with Unlock, Close or the death of the process.
func (f *File) TryLock(pos int64) (bool, error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0, Start: pos, Len: 1}
	for {
		err := unix.FcntlFlock(uintptr(f.fd), unix.F_OFD_SETLK, &lk)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, err
		}
	}
}

// Unlock gives the lock on the byte at pos up.
func (f *File) Unlock(pos int64) error {
	lk := unix.Flock_t{Type: unix.F_UNLCK, Whence: 0, Start: pos, Len: 1}
	return unix.FcntlFlock(uintptr(f.fd), unix.F_OFD_SETLK, &lk)
}

// LockedByOther tells whether another open of the file holds the lock on the byte at pos. An
// error counts as held: who can't tell must not take a live one for dead.
func (f *File) LockedByOther(pos int64) bool {
	lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0, Start: pos, Len: 1}
	if err := unix.FcntlFlock(uintptr(f.fd), unix.F_OFD_GETLK, &lk); err != nil {
		return true
	}
	return lk.Type != unix.F_UNLCK
}
