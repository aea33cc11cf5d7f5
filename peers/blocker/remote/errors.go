package remote

import (
	"fmt"
	"strings"
	"syscall"

	"archipelago/peers/blocker"
)

// sentinels are the contract's errors by their number; of two that share one, the first.
var sentinels = []*blocker.Error{
	blocker.ErrNotFound, blocker.ErrExists, blocker.ErrConflict, blocker.ErrNoSpace,
	blocker.ErrArgument, blocker.ErrClosed, blocker.ErrFenced,
}

// replyError makes an error of the number that a reply carries.
func replyError(op *blocker.Op, errno syscall.Errno) error {
	what := "object " + strings.Clone(op.Name)
	if op.Kind == blocker.Sync && op.Name == "" {
		what = fmt.Sprintf("volume %x", op.Volume)
	}
	for _, s := range sentinels {
		if s.Errno() == errno {
			return fmt.Errorf("%s: %w", what, s)
		}
	}
	return fmt.Errorf("%s: %w", what, errno)
}
