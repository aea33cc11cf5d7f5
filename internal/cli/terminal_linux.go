package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// isTerminal says whether f is a terminal.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// IsTerminal says whether w is a terminal: whether colours and bars make sense.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f)
}
