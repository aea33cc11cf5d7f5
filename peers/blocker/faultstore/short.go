package faultstore

import (
	"syscall"

	"archipelago/peers/blocker"
)

// runShort runs op for the first part of its range, a share between 0 and 1 of it, and then fails.
// What happens whole or not at all doesn't happen.
func (s *Store) runShort(rule Rule, part float64, op *blocker.Op) {
	err := rule.Err
	if err == nil {
		err = syscall.EIO
	}
	short := *op
	switch op.Kind {
	case blocker.Read, blocker.Write, blocker.Append:
		short.Data = op.Data[:int(part*float64(len(op.Data)))]
	case blocker.WriteZeroes, blocker.Discard, blocker.Copy:
		short.Length = int64(part * float64(op.Length))
	case blocker.Fill: // without what lies around its data
		short.Kind, short.Data = blocker.Write, op.Data[:int(part*float64(len(op.Data)))]
	default:
		fail(op, err)
		return
	}
	short.Done = func(*blocker.Op) { fail(op, err) }
	s.inner.Submit(&short)
}
