package volume

import (
	"errors"
	"strings"
	"syscall"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
	"archipelago/peers/mapper/remote"
	"archipelago/xseg"
)

// ErrReply is the one error of this package. All others are those of package mapper, by the errno
// that crossed the port and with the text that came along, of package xseg, or a context's; wrapped
// with the name of the volume.
var ErrReply = errors.New("peer sent a reply that makes no sense")

// asError turns the errno of a reply, and the text that came with it, into an error; 0 is nil.
func asError(errno syscall.Errno, text []byte) error {
	if errno == syscall.EHOSTDOWN {
		return xseg.ErrNotRunning // the transport gave up waiting for the peer
	}
	return remote.Error(errno, text)
}

// wrap says which volume and what was tried.
func wrap(name, what string, err error) error {
	if err == nil {
		return nil
	}
	return &volumeError{name, what, err}
}

// volumeError names the volume and what was tried once, however often the peers below have done so
// in the text that came with their reply.
type volumeError struct {
	name, what string
	err        error
}

func (e *volumeError) Error() string {
	cause := strings.TrimPrefix(e.err.Error(), "volume "+e.name+": ")
	return "volume " + e.name + ": " + e.what + ": " + strings.TrimPrefix(cause, e.what+": ")
}

func (e *volumeError) Unwrap() error { return e.err }

// checkName refuses what no volume can be called before it reaches a port.
func checkName(name string) error {
	if err := mapfmt.CheckVolumeName(name); err != nil {
		return &nameError{err}
	}
	return nil
}

// nameError is mapper.ErrName with the one text that says what is wrong.
type nameError struct{ err error }

func (e *nameError) Error() string   { return e.err.Error() }
func (e *nameError) Unwrap() []error { return []error{mapper.ErrName, e.err} }
