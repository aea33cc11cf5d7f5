package nbdd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxPath is the longest path of a socket: sun_path of Linux without the final NUL.
const maxPath = 107

// firstPassed is the number of the first descriptor that a service manager passes on.
const firstPassed = 3

// listen returns the listening socket: the one that was passed on, which then outlives this
// process, or a new one at path.
func listen(path string) (*net.UnixListener, error) {
	ln, err := inherited(os.LookupEnv)
	if ln != nil || err != nil {
		return ln, err
	}
	return listenAt(path)
}

// inherited returns the socket that was passed on as LISTEN_FDS says, or nil. A supervisor that
// can't know the process id before it starts us leaves LISTEN_PID out; if it is there it must be
// ours, else the variables were meant for a parent.
func inherited(env func(string) (string, bool)) (*net.UnixListener, error) {
	fds, ok := env("LISTEN_FDS")
	if !ok {
		return nil, nil
	}
	if pid, ok := env("LISTEN_PID"); ok && pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	if n, err := strconv.Atoi(fds); err != nil || n != 1 {
		return nil, fmt.Errorf("LISTEN_FDS is %q: one listening socket is expected", fds)
	}
	return adopt(os.NewFile(firstPassed, "passed NBD socket"))
}

// adopt makes a listener of a descriptor, which it closes: the listener works on a duplicate that
// is close-on-exec and non-blocking.
func adopt(f *os.File) (*net.UnixListener, error) {
	defer f.Close()
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("passed NBD socket: %w", err)
	}
	unixLn, ok := ln.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("passed NBD socket is a %s socket, not a Unix socket",
			ln.Addr().Network()), ln.Close())
	}
	return unixLn, nil
}

// listenAt makes a socket, for owner and group.
func listenAt(path string) (*net.UnixListener, error) {
	if path == "" || len(path) > maxPath {
		return nil, fmt.Errorf("NBD socket %q: the path of a socket has 1 to %d bytes, this one has %d", path, maxPath, len(path))
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("NBD socket: %w", err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("NBD socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("NBD socket: %w", err), ln.Close())
	}
	return ln, nil
}

// removeStale removes a socket that a process left behind when it was killed. One that somebody
// listens on, or what isn't a socket, stays: then there is an error.
func removeStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s is in the way and is no socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("%s: %w: somebody listens there", path, unix.EADDRINUSE), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
