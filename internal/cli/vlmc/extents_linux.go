package vlmc

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// nextData returns the next range of f from off on that holds data; from = size if none is left.
// A file system that doesn't know holes says that all is data.
func nextData(f *os.File, off, size int64) (from, to int64, err error) {
	from, err = unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return size, size, nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
		return off, size, nil
	case err != nil:
		return 0, 0, &os.PathError{Op: "seek", Path: f.Name(), Err: err}
	}
	to, err = unix.Seek(int(f.Fd()), from, unix.SEEK_HOLE)
	if err != nil {
		return 0, 0, &os.PathError{Op: "seek", Path: f.Name(), Err: err}
	}
	return min(from, size), min(to, size), nil
}

// sizeOf returns the size of a file or block device; false for what has none, like a pipe.
func sizeOf(f *os.File) (int64, bool, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, false, err
	}
	switch mode := st.Mode(); {
	case mode.IsRegular():
		return st.Size(), true, nil
	case mode.IsDir():
		return 0, false, &os.PathError{Op: "read", Path: f.Name(), Err: unix.EISDIR}
	case mode&os.ModeDevice != 0 && mode&os.ModeCharDevice == 0:
		end, err := f.Seek(0, 2)
		return end, true, err
	}
	return 0, false, nil
}
