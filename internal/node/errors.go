package node

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// exitBusy is the exit status of a node that is locked; see the table in internal/cli.
const exitBusy = 12

// LockedError says that another process runs the node.
type LockedError struct {
	Path string // of the lock file
	PID  int    // of the holder; 0 = it hasn't said yet
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID > 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("a node runs here already: %s holds %s", who, e.Path)
}

// ExitCode is the exit status for it.
func (e *LockedError) ExitCode() int { return exitBusy }

// PeerError says that a role could not be started or stopped as it should.
type PeerError struct {
	Role  string
	What  string
	State *os.ProcessState // nil: no process was started
	Err   error            // why not
}

func (e *PeerError) Error() string {
	if e.State == nil {
		return fmt.Sprintf("role %s: %s: %v", e.Role, e.What, e.Err)
	}
	return fmt.Sprintf("role %s: %s: %s", e.Role, e.What, e.State)
}

// Unwrap returns why no process was started.
func (e *PeerError) Unwrap() error { return e.Err }

// ExitCode passes the exit status of the process on, so that its reason isn't lost.
func (e *PeerError) ExitCode() int {
	if e.State == nil {
		return 0
	}
	return max(e.State.ExitCode(), 0)
}

// ErrForced: the stop was forced; what wasn't flushed is in the pending logs of this boot.
var ErrForced = errors.New("stopped by force")

// unwritable explains why a path can't be used.
func unwritable(path string, err error) error {
	if errors.Is(err, syscall.EROFS) || errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%s is not writable: %w", path, err)
	}
	return fmt.Errorf("%s can't be used: %w", path, err)
}
