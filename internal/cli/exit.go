package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// Exit statuses of every command. Scripts rely on them: do not change. A status that isn't listed
// means a failure too (2 is also what the Go runtime ends a crash with).
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitPartly      = 3
	ExitNotFound    = 10
	ExitExists      = 11
	ExitBusy        = 12
	ExitNotRunning  = 13
	ExitCorrupt     = 14
	ExitTryAgain    = 75
	ExitInterrupted = 130
)

// Status is one row of the table of exit statuses.
type Status struct {
	Code int
	Text string
}

// Statuses is the table of exit statuses, as help and manual show it.
func Statuses() []Status {
	return []Status{
		{ExitOK, "success"},
		{ExitFailed, "failure"},
		{ExitUsage, "wrong flags, arguments or configuration"},
		{ExitPartly, "partly done"},
		{ExitNotFound, "no such volume or snapshot"},
		{ExitExists, "exists already"},
		{ExitBusy, "busy or locked"},
		{ExitNotRunning, "the node or one of its peers isn't running"},
		{ExitCorrupt, "corrupt data found"},
		{ExitTryAgain, "not possible now, try again"},
		{ExitInterrupted, "interrupted"},
	}
}

// UsageError is an error in how a command was called.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// CodeError gives an error an exit status that its cause doesn't tell.
type CodeError struct {
	Code int
	Err  error
}

func (e *CodeError) Error() string { return e.Err.Error() }
func (e *CodeError) Unwrap() error { return e.Err }

// causes maps the errors of other packages to exit statuses. The first that matches counts, so
// what says most stands first.
var causes = []struct {
	code int
	errs []error
}{
	{ExitInterrupted, []error{context.Canceled}},
	{ExitUsage, []error{config.ErrInvalid, config.ErrNone, mapper.ErrName, mapper.ErrArgument,
		mapper.ErrTooSmall, mapfmt.ErrName, mapfmt.ErrArgument, xseg.ErrSpec}},
	{ExitNotFound, []error{mapper.ErrNotFound}},
	{ExitExists, []error{mapper.ErrExists}},
	{ExitCorrupt, []error{mapper.ErrCorrupt, mapfmt.ErrCorrupt, xseg.ErrCorrupt, syscall.EUCLEAN}},
	{ExitNotRunning, []error{xseg.ErrNotRunning, xseg.ErrNoSegment, config.ErrNoDir, syscall.EHOSTDOWN}},
	{ExitBusy, []error{mapper.ErrBusy, xseg.ErrBusy}},
	{ExitTryAgain, []error{mapper.ErrAgain, mapper.ErrStale, xseg.ErrLimit, context.DeadlineExceeded}},
}

// ExitCode returns the exit status that stands for err; 0 for nil.
func ExitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	if e, ok := errors.AsType[*CodeError](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok && known(e.ExitCode()) {
		return e.ExitCode()
	}
	if _, ok := errors.AsType[*UsageError](err); ok {
		return ExitUsage
	}
	for _, c := range causes {
		if slices.ContainsFunc(c.errs, func(target error) bool { return errors.Is(err, target) }) {
			return c.code
		}
	}
	return ExitFailed
}

// known says whether a status is in the table and means a failure.
func known(code int) bool {
	return code != ExitOK && slices.ContainsFunc(Statuses(), func(s Status) bool { return s.Code == code })
}
