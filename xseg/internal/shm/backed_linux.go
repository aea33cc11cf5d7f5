package shm

import (
	"os"

	"golang.org/x/sys/unix"
)

// blockSize is the unit of st_blocks.
const blockSize = 512

// Backed returns how much memory is behind the segment file name.
func Backed(name string) (int64, error) {
	var st unix.Stat_t
	if err := unix.Stat(Path(name), &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: Path(name), Err: err}
	}
	return st.Blocks * blockSize, nil
}

// Named tells whether the segment file name is this open file: its name may be gone, or belong to
// another one by now.
func (f *File) Named(name string) bool {
	var own, named unix.Stat_t
	if unix.Fstat(f.fd, &own) != nil || unix.Stat(Path(name), &named) != nil {
		return false
	}
	return own.Ino == named.Ino && own.Dev == named.Dev
}
