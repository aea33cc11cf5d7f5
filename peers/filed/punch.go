package filed

import (
	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// writeZeroes makes a range zeros by giving its space back.
func (s *Store) writeZeroes(op *blocker.Op) (bool, error) {
	return s.change(op, "write zeroes", true, op.Length, func(o *object) error {
		return s.zero(o, op.Offset, op.Length, true)
	})
}

// discard is writeZeroes that neither makes nor grows the object.
func (s *Store) discard(op *blocker.Op) (bool, error) {
	pending, err := s.change(op, "discard", false, op.Length, func(o *object) error {
		return s.zero(o, op.Offset, op.Length, false)
	})
	if sentinel(err) == blocker.ErrNotFound {
		err = nil
	}
	return pending, err
}

// zero makes a range of a file zeros, and the file as long as that if grow is set.
func (s *Store) zero(o *object, offset, length int64, grow bool) error {
	st, err := fstat(o.fd)
	if err != nil {
		return err
	}
	end := offset + length
	if offset < min(end, st.Size) {
		if err := s.clearRange(o, offset, end, st.Size); err != nil {
			return err
		}
	}
	if grow && end > st.Size {
		return s.growTo(o, max(offset, st.Size), end)
	}
	return nil
}

// clearRange makes from..to zeros in a file that is size bytes long, and no longer. Precondition:
// from < size.
func (s *Store) clearRange(o *object, from, to, size int64) error {
	if s.direct {
		return s.clearBlocks(o, from, to, size)
	}
	return s.punch(o, from, to, size)
}

// clearBlocks is clearRange without the page cache, which would clear the edges of a hole there.
func (s *Store) clearBlocks(o *object, from, to, size int64) error {
	first, last := ceil(from), floor(min(to, ceil(size)))
	if first >= last { // no whole block
		return s.writeZeros(o, from, min(to, size))
	}
	if err := s.writeZeros(o, from, first); err != nil {
		return err
	}
	if err := s.punchLocked(o, first, last, size); err != nil {
		return err
	}
	return s.writeZeros(o, last, min(to, size))
}

func (s *Store) punchLocked(o *object, from, to, size int64) error {
	unlock := o.blocks.lock(span{from, to, true})
	err := s.disk.punch(o.fd, o.path, from, to-from)
	unlock()
	if isUnsupported(err) {
		return s.writeZeros(o, from, min(to, size))
	}
	return err
}

// punch makes a hole, or writes zeros where the file system can't. What reaches beyond the end of
// the file is passed on up to the end of its last block: only so that is given back as well.
func (s *Store) punch(o *object, from, to, size int64) error {
	err := s.disk.punch(o.fd, o.path, from, min(to, ceil(size))-from)
	if isUnsupported(err) {
		return s.writeZeros(o, from, min(to, size))
	}
	return err
}

func isUnsupported(err error) bool { return err == unix.EOPNOTSUPP || err == unix.ENOSYS }

// growTo makes a file that ends before end longer, given that [from, end) is to be zeros: by
// writing the last block of that range. ftruncate would cut off what somebody else appends
// meanwhile; a smaller write would mix with an overlapping one within a block.
func (s *Store) growTo(o *object, from, end int64) error {
	return s.writeZeros(o, max(from, floor(end-1)), end)
}

// writeZeros writes zeros to from..to.
func (s *Store) writeZeros(o *object, from, to int64) error {
	for from < to {
		n := min(to-from, int64(len(zeros)))
		if err := s.writeAt(o, zeros[:n], from); err != nil {
			return err
		}
		from += n
	}
	return nil
}

// zeros is never written to.
var zeros = alignedBuffer(bounceSize)
