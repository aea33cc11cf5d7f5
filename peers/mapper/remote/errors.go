package remote

import (
	"fmt"
	"syscall"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// byErrno maps the number of a reply back to the error of the contract. ErrName shares its number
// with ErrArgument and comes back as that one.
var byErrno = func() map[syscall.Errno]*mapper.Error {
	m := make(map[syscall.Errno]*mapper.Error)
	for _, e := range []*mapper.Error{
		mapper.ErrNotFound, mapper.ErrExists, mapper.ErrArgument, mapper.ErrTooSmall,
		mapper.ErrReadOnly, mapper.ErrNotRO, mapper.ErrBusy, mapper.ErrAgain, mapper.ErrStale,
		mapper.ErrCorrupt, mapper.ErrNoSpace, mapper.ErrIO,
		mapper.ErrUnknown,
	} {
		m[e.Errno()] = e
	}
	return m
}()

// Error makes an error of a reply's number and, where there is one, the text that came with it.
// Nil for 0. Where there is no text nothing is allocated.
func Error(n syscall.Errno, text []byte) error {
	if n == 0 {
		return nil
	}
	var kind error = n
	if e := byErrno[n]; e != nil {
		kind = e
	}
	if len(text) == 0 {
		return kind
	}
	return &remoteError{string(text), kind}
}

// remoteError is an error of the other side: its text, and what it is.
type remoteError struct {
	text string
	kind error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }

// checkName applies the rules of volume names.
func checkName(name string) error {
	if err := mapfmt.CheckVolumeName(name); err != nil {
		return fmt.Errorf("%w: %w", mapper.ErrName, err)
	}
	return nil
}
