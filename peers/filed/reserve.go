package filed

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

const (
	// Files whose only purpose is the space that they hold.
	reserveName     = ".reserve"
	lastReserveName = ".reserve-remove"
	// lockReserve is the space for generations of locks: far more than one takes.
	lockReserve = 64 << 10
)

// reserve is the space that lets small files be made on a full disk. The reserve itself becomes the
// temporary file, so that nobody else can take its blocks in between; what the file doesn't need is
// given back in steps while the directories above it are made. A new reserve is made as soon as there is space. Without
// one (the disk was full from the start) making a file fails as any other write.
type reserve struct {
	name  string
	size  int64
	disk  *disk
	temps *temps

	mu     sync.Mutex
	spent  atomic.Bool // there is none, as far as is known
	again  *time.Timer // tries to make it, while there is none
	closed bool
}

// reserveRetry is how often a reserve that was used is tried to be made again. Room may be made by
// others, the blocker of the data for one, so nothing that happens here would tell.
const reserveRetry = 20 * time.Millisecond

// writeTemp is temps.write, with the reserve if there is no other space: spare tells that, and that
// directories has run.
func (r *reserve) writeTemp(data []byte, directories func() error) (name string, fd int, spare bool, err error) {
	name, fd, err = r.temps.write(data)
	if sentinel(err) != blocker.ErrNoSpace {
		return name, fd, false, err
	}
	name, fd, err = r.write(data, directories)
	return name, fd, true, err
}

// fill makes the reserve if it isn't there. Failing to is no error.
func (r *reserve) fill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fillLocked()
}

// refill is fill where the reserve was used: for when space may have come free.
func (r *reserve) refill() {
	if r.spent.Load() {
		r.fill()
	}
}

// refill makes the reserves anew that were used, the one for removals first: those make the room
// for the other.
func (s *Store) refill() {
	s.last.refill()
	s.spare.refill()
}

func (r *reserve) fillLocked() {
	r.spent.Store(true)
	fd, err := r.disk.open(r.name, unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	st, err := fstat(fd)
	if err != nil || st.Size != r.size {
		if r.disk.allocate(fd, r.name, r.size) != nil {
			_ = r.disk.unlink(r.name) // half a reserve is none
			return
		}
	}
	r.spent.Store(false)
}

// retry makes the reserve again as soon as there is room. r.mu is held.
func (r *reserve) retry() {
	if r.closed || r.again != nil {
		return
	}
	r.again = time.AfterFunc(reserveRetry, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.again = nil
		if r.closed || !r.spent.Load() {
			return
		}
		if r.fillLocked(); r.spent.Load() {
			r.retry()
		}
	})
}

// close ends the tries. The disk may be closed then.
func (r *reserve) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.again != nil {
		r.again.Stop()
	}
}

// write is temps.write into the reserved space, and makes the directories that the file will need
// out of it. ErrNoSpace if there is none.
func (r *reserve) write(data []byte, directories func() error) (name string, fd int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fillLocked() // space may have come free since the last one was used
	name = r.temps.name()
	if err := r.disk.rename(r.name, name); err != nil {
		return "", -1, unix.ENOSPC
	}
	r.spent.Store(true)
	r.retry()
	fd, err = r.disk.open(name, unix.O_RDWR)
	if err != nil {
		return "", -1, err
	}
	if err = r.take(fd, name, data, directories); err != nil {
		r.temps.discard(name, fd)
		return "", -1, err
	}
	return name, fd, nil
}

// reserveSteps is in how many steps the reserve is given back for directories: whoever writes at the
// same time takes what is free, so that one step may not be enough.
const reserveSteps = 32

// take writes into the blocks that are there and gives the rest back.
func (r *reserve) take(fd int, name string, data []byte, directories func() error) error {
	if err := r.disk.write(fd, name, data, 0); err != nil {
		return err
	}
	for left := r.size; ; {
		err := directories()
		if err == nil {
			break
		}
		left -= r.size / reserveSteps
		if sentinel(err) != blocker.ErrNoSpace || left < int64(len(data)) {
			return err
		}
		if err := r.disk.truncate(fd, name, left); err != nil {
			return err
		}
	}
	if err := r.disk.truncate(fd, name, int64(len(data))); err != nil {
		return err
	}
	return r.disk.fdatasync(fd, name)
}
