package nbdd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxPath is the longest path of a socket: sun_path of Linux without the final NUL.
const maxPath = 107

// ownName is that of a listening socket which a predecessor made itself and left. Any other socket
// that was passed, but those of clients, was made by a supervisor or a socket unit, whatever they
// call it.
const ownName = "nbd-listener"

// listen returns the listening socket: the one that was passed on, which then outlives this
// process, or a new one at path, which keep (may be nil) keeps for a successor: so that clients
// which connect while there is no server wait instead of failing.
func listen(path string, passed map[string][]*os.File, keep Keeper) (*net.UnixListener, error) {
	if files := activated(passed); len(files) > 0 {
		return adopt(files)
	}
	if files := passed[ownName]; len(files) > 0 {
		if ln, err := adopt(files); err == nil && leadsTo(path, ln) {
			return ln, nil
		} else if err == nil {
			_ = ln.Close() // the configuration has changed, or somebody removed the file
		}
	}
	ln, err := listenAt(path)
	if err != nil || keep == nil {
		return ln, err
	}
	ln.SetUnlinkOnClose(false)
	fd, _, err := duplicate(ln)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	defer unix.Close(fd)
	if err := keep(ownName, fd); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the NBD socket for a successor: %w", err), ln.Close())
	}
	return ln, nil
}

// activated returns the listening sockets that a supervisor or a socket unit made.
func activated(passed map[string][]*os.File) (files []*os.File) {
	for name, more := range passed {
		switch name {
		case ownName, stateName, clientsName:
		default:
			files = append(files, more...)
		}
	}
	return files
}

// leadsTo says whether clients that connect to path come to ln, as far as can be seen.
func leadsTo(path string, ln *net.UnixListener) bool {
	fi, err := os.Lstat(path)
	return err == nil && fi.Mode().Type() == os.ModeSocket && ln.Addr().String() == path
}

// adopt makes a listener of the one descriptor in files, which it closes: the listener works on a
// duplicate that is close-on-exec and non-blocking.
func adopt(files []*os.File) (*net.UnixListener, error) {
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	if len(files) != 1 {
		return nil, fmt.Errorf("%d NBD sockets were passed, one is expected", len(files))
	}
	ln, err := net.FileListener(files[0])
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
