package filed

import (
	"sync"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// copyBuffers holds *[]byte of bounceSize bytes, aligned: apart from bounces, which a copy may need
// besides.
var copyBuffers = sync.Pool{New: func() any {
	b := alignedBuffer(bounceSize)
	return &b
}}

// copy copies a range of one object into another; its holes stay holes.
func (s *Store) copy(op *blocker.Op) (bool, error) {
	src, err := s.object(op.Source, false)
	if err != nil {
		return false, wrap(op.Source, "open", err)
	}
	defer s.unref(src)
	return s.change(op, "copy", true, op.Length, func(dst *object) error {
		c := copier{s, src, dst, op.Offset - op.SourceOffset}
		return c.run(op.SourceOffset, op.SourceOffset+op.Length)
	})
}

// copyCached serves a copy or a fill whose descriptors and pages are cached and that has no hole in it; false
// if that isn't so. The first write to each sub-block of a clone waits for such a fill.
func (s *Store) copyCached(op *blocker.Op) bool {
	src := s.cached(op.Source)
	if src == nil {
		return false
	}
	defer s.unref(src)
	if !isData(src.fd, op.SourceOffset, op.Length) {
		return false
	}
	p := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(p)
	b := (*p)[:op.Length]
	if gather(op, b, func(b []byte, off int64) error { return readNowait(src.fd, b, off) }) != nil {
		return false
	}
	dst := s.cachedForChange(op.Name, op.Volume, op.Length)
	if dst == nil {
		return false
	}
	if err := s.disk.writeBuffered(dst.fd, dst.path, b, target(op)); err != nil {
		op.Err = wrap(op.Name, "copy", err)
	} else {
		op.N = int64(len(op.Data))
	}
	s.endChange(dst)
	return true
}

// isData tells whether a range has no hole, and doesn't end behind the file.
func isData(fd int, off, length int64) bool {
	data, err := seekData(fd, off)
	if err != nil || data != off {
		return false
	}
	hole, err := seekHole(fd, off)
	return err == nil && hole >= off+length
}

// copier copies from src to dst, shift bytes further on. Offsets are those of the source.
type copier struct {
	s        *Store
	src, dst *object
	shift    int64
}

// run copies from..to: data by data, hole by hole. What lies past the end of the source is a hole.
func (c *copier) run(from, to int64) error {
	for from < to {
		data, err := seekData(c.src.fd, from)
		if err != nil {
			return err
		}
		data = min(data, to)
		if data > from {
			if err := c.hole(from, data); err != nil {
				return err
			}
		}
		if data == to {
			return nil
		}
		hole, err := seekHole(c.src.fd, data)
		if err != nil {
			return err
		}
		from = min(hole, to)
		if err := c.data(data, from); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) hole(from, to int64) error {
	return c.s.zero(c.dst, from+c.shift, to-from, true)
}

// data copies by way of memory: where the file system can't share blocks (ext4), copy_file_range
// goes through the page cache as well, and was measured at a half to an eighth of this speed.
func (c *copier) data(from, to int64) error {
	p := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(p)
	for from < to {
		b := (*p)[:min(to-from, bounceSize)]
		if err := c.s.readAt(c.src, b, from); err != nil {
			return err
		}
		if err := c.s.writeAt(c.dst, b, from+c.shift); err != nil {
			return err
		}
		from += int64(len(b))
	}
	return nil
}

// seekData returns where data begins at or after off; the largest offset if there is none.
func seekData(fd int, off int64) (int64, error) {
	n, err := seek(fd, off, unix.SEEK_DATA)
	if err == unix.ENXIO {
		return blocker.MaxObject, nil
	}
	if err == unix.EINVAL {
		return off, nil // the file system doesn't know holes
	}
	return n, err
}

// seekHole returns where data that begins at off ends.
func seekHole(fd int, off int64) (int64, error) {
	n, err := seek(fd, off, unix.SEEK_HOLE)
	if err == unix.EINVAL {
		return blocker.MaxObject, nil
	}
	return n, err
}
