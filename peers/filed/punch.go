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
	if n := min(length, st.Size-offset); n > 0 {
		if err := s.punch(o, offset, n); err != nil {
			return err
		}
	}
	if end := offset + length; grow && end > st.Size {
		return s.growTo(o, max(offset, st.Size), end)
	}
	return nil
}

// punch makes a hole, or writes zeros where the file system can't.
func (s *Store) punch(o *object, offset, length int64) error {
	err := s.disk.punch(o.fd, o.path, offset, length)
	if err == unix.EOPNOTSUPP || err == unix.ENOSYS {
		return s.writeZeros(o, offset, length)
	}
	return err
}

// growTo makes a file that ends before end longer, given that [from, end) is to be zeros: by writing
// the last block of that range. ftruncate would cut off what somebody else appends meanwhile; a
// smaller write would mix with an overlapping one within a block.
func (s *Store) growTo(o *object, from, end int64) error {
	at := max(from, (end-1)/blockSize*blockSize)
	return s.writeZeros(o, at, end-at)
}

func (s *Store) writeZeros(o *object, offset, length int64) error {
	for length > 0 {
		n := min(length, int64(len(zeros)))
		if err := s.disk.write(o.fd, o.path, zeros[:n], offset); err != nil {
			return err
		}
		offset, length = offset+n, length-n
	}
	return nil
}

const blockSize = 4096

// zeros is never written to.
var zeros = make([]byte, 256<<10)
