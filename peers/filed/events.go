package filed

import (
	"strings"
	"syscall"

	"archipelago/peers/blocker"
)

// logFailure logs what an operator must know of an operation that failed: that the disk is full, or
// that it or a file on it is broken. What is an answer (no such object, exists, …) is the caller's.
func (s *Store) logFailure(op *blocker.Op, err error) {
	switch blocker.Errno(err) {
	case 0, syscall.ENOENT, syscall.EEXIST, syscall.ESTALE, syscall.EINVAL, syscall.ESHUTDOWN:
	case syscall.ENOSPC, syscall.EDQUOT:
		s.log.Warn("no space left in the store", "error", err)
	case syscall.ETIME:
		s.log.Error("this node is fenced", "object", strings.Clone(op.Name), "error", err)
	default:
		s.log.Error("store error", "object", strings.Clone(op.Name), "error", err)
	}
}
