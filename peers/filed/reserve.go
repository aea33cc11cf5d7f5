package filed

import (
	"sync"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// reserveName is a file whose only purpose is the space that it holds.
const reserveName = ".reserve"

// reserve is the space that lets Replace work on a full disk. The reserve itself becomes the
// temporary file, so that nobody else can take its blocks in between; once the old file has gone,
// a new reserve is made in its place. Without one (the disk was full from the start) Replace fails
// as any other write.
type reserve struct {
	mu    sync.Mutex
	disk  *disk
	temps *temps
}

// fill makes the reserve if it isn't there. Failing to is no error.
func (r *reserve) fill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fillLocked()
}

func (r *reserve) fillLocked() {
	fd, err := r.disk.open(reserveName, unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	st, err := fstat(fd)
	if err == nil && st.Size == blocker.MaxAtomic {
		return
	}
	if r.disk.allocate(fd, reserveName, blocker.MaxAtomic) != nil {
		_ = r.disk.unlink(reserveName) // half a reserve is none
	}
}

// write is temps.write into the reserved space. ErrNoSpace if there is none.
func (r *reserve) write(data []byte) (name string, fd int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fillLocked() // space may have come free since the last one was used
	name = r.temps.name()
	if err := r.disk.rename(reserveName, name); err != nil {
		return "", -1, unix.ENOSPC
	}
	fd, err = r.disk.open(name, unix.O_RDWR)
	if err != nil {
		return "", -1, err
	}
	if err = r.take(fd, name, data); err != nil {
		r.temps.discard(name, fd)
		return "", -1, err
	}
	return name, fd, nil
}

// take writes into the blocks that are there and gives the rest back.
func (r *reserve) take(fd int, name string, data []byte) error {
	if err := r.disk.write(fd, name, data, 0); err != nil {
		return err
	}
	if err := r.disk.truncate(fd, name, int64(len(data))); err != nil {
		return err
	}
	return r.disk.fdatasync(fd, name)
}
