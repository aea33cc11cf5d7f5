package screen

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Keys makes a terminal give each key at once, without echo. Ctrl-C is a signal as ever. restore
// undoes it; for anything but a terminal both do nothing.
func Keys(r io.Reader) (restore func(), err error) {
	f, ok := r.(*os.File)
	if !ok {
		return func() {}, nil
	}
	fd := int(f.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return func() {}, nil // no terminal: nothing to restore
	}
	raw := *old
	raw.Lflag &^= unix.ICANON | unix.ECHO
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return func() {}, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, old) }, nil
}

// ReadKeys sends what is typed to keys, byte by byte, until r ends. It may stay in a read for ever:
// a terminal can't be told that nobody listens any more.
func ReadKeys(r io.Reader, keys chan<- byte) {
	defer close(keys)
	var b [64]byte
	for {
		n, err := r.Read(b[:])
		for _, c := range b[:n] {
			keys <- c
		}
		if err != nil {
			return
		}
	}
}
