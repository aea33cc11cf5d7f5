package filed

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// Errors of opening a store.
var (
	ErrDirectory = errors.New("unusable directory")
	ErrInUse     = errors.New("directory is in use by another blocker")
	errTrack     = errors.New("list of dirty objects is damaged")
	ErrNoDirect  = errors.New("direct I/O isn't possible here")
)

// wrap names the object and what was done to it, and adds the contract's error that the cause
// means.
func wrap(name, action string, err error) error {
	name = strings.Clone(name) // it may lie in memory that is used again
	if s := sentinel(err); s != nil && !errors.Is(err, s) {
		return fmt.Errorf("object %s: %s: %w: %w", name, action, s, err)
	}
	return fmt.Errorf("object %s: %s: %w", name, action, err)
}

func sentinel(err error) *blocker.Error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return blocker.ErrNotFound
	case errors.Is(err, unix.EEXIST):
		return blocker.ErrExists
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return blocker.ErrNoSpace
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENAMETOOLONG):
		return blocker.ErrName
	}
	return nil
}
