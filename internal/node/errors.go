package node

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Exit statuses of errors here; see the table in internal/cli.
const (
	exitFailed     = 1
	exitUsage      = 2
	exitBusy       = 12
	exitNotRunning = 13
	exitTryAgain   = 75
)

// statusError is a sentinel with an exit status.
type statusError struct {
	text   string
	status int
}

func (e *statusError) Error() string { return e.text }
func (e *statusError) ExitCode() int { return e.status }

// Errors of the control of a running node.
var (
	// ErrNoSupervisor: no `archipelago run` runs the node.
	ErrNoSupervisor error = &statusError{"no supervisor (archipelago run) runs this node", exitNotRunning}
	// ErrSilent: the supervisor lives, but doesn't answer.
	ErrSilent error = &statusError{"the supervisor doesn't answer", exitTryAgain}

	errStopping error = &statusError{"the node is stopping", exitNotRunning}
)

// UnknownRoleError says that a node has no such role.
type UnknownRoleError struct {
	Role  string
	Known []string
}

func (e *UnknownRoleError) Error() string {
	return fmt.Sprintf("no role %q in the running node; known: %s", e.Role, strings.Join(e.Known, ", "))
}

// ExitCode is the exit status for it.
func (e *UnknownRoleError) ExitCode() int { return exitUsage }

// RestartError says that a role did not come up again. Its supervisor goes on trying.
type RestartError struct {
	Role   string
	Cause  string
	Status int      // exit status for it
	Log    []string // the last lines that the new process logged
}

func (e *RestartError) Error() string {
	text := fmt.Sprintf("restart of role %s: %s", e.Role, e.Cause)
	for _, line := range e.Log {
		text += "\n  " + line
	}
	return text
}

// ExitCode is the exit status for it.
func (e *RestartError) ExitCode() int { return e.Status }

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
	State *os.ProcessState // nil: no process was started, or the role ran in this one
	Err   error            // why not, or how it ended there
	Log   []string         // the last lines that the role logged
}

func (e *PeerError) Error() string {
	if e.State == nil {
		return fmt.Sprintf("role %s: %s: %v", e.Role, e.What, e.Err)
	}
	return fmt.Sprintf("role %s: %s: %s", e.Role, e.What, e.State)
}

// Unwrap returns why no process was started, or how the role ended in this one.
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
