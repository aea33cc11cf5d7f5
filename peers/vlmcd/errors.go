package vlmcd

import (
	"errors"
	"fmt"
	"syscall"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// Numbers that decide what happens next. They are compared as numbers because that is all that
// crosses a port.
const (
	errNoObject = syscall.ENOENT // of the blocker: the object isn't there
	errStale    = syscall.ESTALE // of either: epoch, birth or term isn't the present one
	errAgain    = syscall.EAGAIN // of the mapper: it can't answer now
	errNoVolume = syscall.ENOENT // of the mapper: it was restarted and doesn't have it open
)

// failure puts volume and object to an error of a piece.
func (e *Engine) failure(p *piece, err error) error {
	return fmt.Errorf("volume %s, object %d: %w", p.op.Name, p.index, err)
}

// ioError is a cause that crosses as EIO: what went wrong isn't the client's doing, and the
// cause's own number would tell it something else.
func ioError(cause error) error { return fmt.Errorf("%w: %w", mapper.ErrIO, cause) }

// badAnswer says that the mapper sent what it may not send.
func badAnswer(format string, args ...any) error {
	return fmt.Errorf("%w: answer of the mapper: %s", mapper.ErrCorrupt, fmt.Sprintf(format, args...))
}

// blockerFailure makes of an error of the blocker what the client gets.
func blockerFailure(err error) error {
	switch blocker.Errno(err) {
	case syscall.ENOSPC, syscall.ETIME, syscall.ESHUTDOWN, syscall.EHOSTDOWN:
		return err
	}
	return ioError(err)
}

// needsRefresh says that an answer of the mapper means: what the engine knows of the volume is out
// of date, open it again.
func needsRefresh(err error) bool {
	n := mapper.Errno(err)
	return n == errStale || n == errNoVolume
}

// checkInfo refuses an answer to Open that can't be used.
func checkInfo(info *mapper.Info, want UUID) error {
	if info.UUID != want {
		return fmt.Errorf("another volume has that name: %w", mapper.ErrStale)
	}
	if err := errors.Join(mapfmt.CheckObjectSize(info.ObjectSize), mapfmt.CheckVolumeSize(info.Size)); err != nil {
		return badAnswer("%v", err)
	}
	return nil
}
