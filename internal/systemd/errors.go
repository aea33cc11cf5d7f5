package systemd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/godbus/dbus/v5"
)

// Errors of connecting.
var (
	// ErrNoBus: there is no system bus, or it doesn't answer.
	ErrNoBus = errors.New("no D-Bus system bus")
	// ErrNoManager: the bus is there, systemd is not on it.
	ErrNoManager = errors.New("systemd is not on the bus")
)

// Errors of calls and jobs.
var (
	// ErrDenied: the caller may not do that, and nobody can be asked for a password.
	ErrDenied = errors.New("permission denied")
	// ErrNoUnit: no unit file of that name is installed.
	ErrNoUnit = errors.New("no such unit")
	// ErrMasked: the unit was masked by the administrator.
	ErrMasked = errors.New("unit is masked")
	// ErrLost: the connection to the bus ended. What was asked for may go on.
	ErrLost = errors.New("connection to the bus lost")
	// ErrTimeout: no end in the time given. A job that was asked for goes on.
	ErrTimeout = errors.New("timed out")
)

// JobError says that a job ran and did not end well.
type JobError struct {
	Verb   string // start, stop, restart
	Unit   string
	Result string // of the job: failed, timeout, canceled, dependency, …
	State  *Unit  // the unit just after; nil if it can't be told
}

func (e *JobError) Error() string {
	why := "job " + e.Result
	if e.State != nil {
		if cause := e.State.Cause(); cause != "" {
			why = cause
		}
	}
	if e.Result == "dependency" {
		why = "a unit that it needs did not start"
	}
	return fmt.Sprintf("%s %s: %s", e.Verb, e.Unit, why)
}

// Names of errors on the bus, by what they mean here.
var busErrors = map[string]error{
	service + ".NoSuchUnit":                       ErrNoUnit,
	service + ".LoadFailed":                       ErrNoUnit,
	"org.freedesktop.DBus.Error.FileNotFound":     ErrNoUnit,
	service + ".UnitMasked":                       ErrMasked,
	"org.freedesktop.DBus.Error.AccessDenied":     ErrDenied,
	"org.freedesktop.DBus.Error.AuthFailed":       ErrDenied,
	interactive:                                   ErrDenied,
	"org.freedesktop.DBus.Error.ServiceUnknown":   ErrNoManager,
	"org.freedesktop.DBus.Error.NameHasNoOwner":   ErrNoManager,
	"org.freedesktop.DBus.Error.Spawn.ExecFailed": ErrNoManager,
	spawnUnknown:                              ErrNoManager,
	service + ".ShuttingDown":                 ErrNoManager,
	"org.freedesktop.DBus.Error.NoReply":      ErrLost,
	"org.freedesktop.DBus.Error.Disconnected": ErrLost,
	"org.freedesktop.DBus.Error.Timeout":      ErrTimeout,
	"org.freedesktop.DBus.Error.TimedOut":     ErrTimeout,
}

const (
	// What a caller without the right gets where polkit is installed: it would ask for a password.
	interactive  = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
	spawnUnknown = "org.freedesktop.DBus.Error.Spawn.ServiceNotFound"
)

// classify wraps err with the error of this package that it means, if there is one.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if bus, ok := errors.AsType[dbus.Error](err); ok {
		if meaning := busErrors[bus.Name]; meaning != nil {
			return fmt.Errorf("%w: %w", meaning, err)
		}
		return err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case errors.Is(err, dbus.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return err
}
