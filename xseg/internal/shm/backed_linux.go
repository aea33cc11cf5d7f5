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
