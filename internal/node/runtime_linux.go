package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"archipelago/internal/config"
)

// makeRuntimeDir makes the directory of the sockets, or takes over one that is ours. In a place
// where anybody may write (/tmp) somebody else's directory is refused.
func makeRuntimeDir(cfg *config.Config) error {
	dir, mode := cfg.RuntimeDir, fs.FileMode(0o700)
	if cfg.Dir == "" {
		mode = 0o750 // group archipelago
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("runtime directory: %w", unwritable(filepath.Dir(dir), err))
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("runtime directory: %w", unwritable(dir, err))
	}
	st, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("runtime directory: %w", err)
	}
	if owner := st.Sys().(*syscall.Stat_t).Uid; !st.IsDir() || int(owner) != os.Geteuid() {
		return fmt.Errorf("runtime directory: %s is not a directory of user %d", dir, os.Geteuid())
	}
	if cfg.Dir != "" {
		detachMounts(dir)
	}
	if err := cfg.MarkFuse(); err != nil {
		return err
	}
	return removeStaleSockets(dir)
}

// removeStaleSockets removes the notify sockets that a killed supervisor left. Those of ports go
// with the segment, the NBD socket when it is made anew.
func removeStaleSockets(dir string) error {
	stale, err := filepath.Glob(filepath.Join(dir, notifyPrefix+"*"))
	if err != nil {
		return fmt.Errorf("runtime directory: %w", err)
	}
	for _, path := range stale {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("runtime directory: %w", err)
		}
	}
	return nil
}

// removeRuntimeDir takes the directory away if it is the node's own; the shared one of a
// configuration file stays. What says which devices are mapped stays as long as there are any: they
// outlive the node, and go on when it runs again.
func removeRuntimeDir(cfg *config.Config) error {
	if cfg.Dir == "" {
		return nil
	}
	mapped, err := filepath.Glob(filepath.Join(cfg.RuntimeDir, mappedDir, "*.json"))
	if err != nil || len(mapped) == 0 {
		return errors.Join(err, os.RemoveAll(cfg.RuntimeDir))
	}
	entries, err := os.ReadDir(cfg.RuntimeDir)
	errs := []error{err}
	for _, e := range entries {
		if e.Name() != mappedDir {
			errs = append(errs, os.RemoveAll(filepath.Join(cfg.RuntimeDir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// mappedDir is where the files about mapped devices lie (see package device).
const mappedDir = "mapped"

// listen makes a listening Unix socket at path. A leftover file of a dead predecessor goes; the
// lock of the node says that it is dead.
func listen(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	defer l.Close()
	// The path stays until the node stops: it belongs to the descriptor that is passed on.
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("socket %s: %w", path, err), f.Close())
	}
	return f, nil
}
