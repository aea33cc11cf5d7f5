package filed

import (
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// blockSize is the contract's block, and the alignment of direct I/O: a multiple of what any
	// disk in use asks for.
	blockSize = 4096
	// bounceSize is the size of the aligned buffers for what isn't aligned.
	bounceSize = 256 << 10
)

// bounces holds *[]byte of bounceSize bytes, aligned.
var bounces = sync.Pool{New: func() any {
	b := alignedBuffer(bounceSize)
	return &b
}}

func floor(n int64) int64 { return n &^ (blockSize - 1) }
func ceil(n int64) int64  { return floor(n + blockSize - 1) }

// readAt fills p from a file; past the end: zeros.
func (s *Store) readAt(o *object, p []byte, off int64) error {
	if !s.direct {
		return readFull(o.fd, p, off)
	}
	for len(p) > 0 {
		n, err := readPiece(o.fd, p, off)
		if err != nil {
			return err
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// readPiece reads some bytes at the beginning of p: straight if p is aligned, else by way of a
// buffer.
func readPiece(fd int, p []byte, off int64) (int, error) {
	if n := len(p) &^ (blockSize - 1); n > 0 && off%blockSize == 0 && isAligned(p) {
		return n, readBlocks(fd, p[:n], off)
	}
	bounce := bounces.Get().(*[]byte)
	defer bounces.Put(bounce)
	start := floor(off)
	n := min(int64(len(p)), start+bounceSize-off)
	b := (*bounce)[:ceil(off+n)-start]
	if err := readBlocks(fd, b, start); err != nil {
		return 0, err
	}
	copy(p[:n], b[off-start:])
	return int(n), nil
}

// readBlocks fills p, which is aligned as off is; past the end: zeros.
func readBlocks(fd int, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := unix.Pread(fd, p, off)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		// Anything but whole blocks is the end of the file. (The next read would be refused.)
		whole := n &^ (blockSize - 1)
		if whole == 0 || n != whole {
			clear(p[n:])
			return nil
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// writeAt writes all of p. Bytes that aren't p's stay as they are, also beside other writes.
func (s *Store) writeAt(o *object, p []byte, off int64) error {
	if !s.direct {
		return s.disk.writeBuffered(o.fd, o.path, p, off)
	}
	if len(p) == 0 {
		return nil
	}
	end := off + int64(len(p))
	if off%blockSize == 0 && end%blockSize == 0 {
		defer o.blocks.lock(span{off, end, false})()
		return s.writePieces(o, p, off, end)
	}
	done, err := s.writeInside(o, p, off, end)
	if done || err != nil {
		return err
	}
	return s.writeEnd(o, p, off, end)
}

// writeInside writes what neither makes the file longer nor reaches into its last, partial block;
// false if p does that.
func (s *Store) writeInside(o *object, p []byte, off, end int64) (bool, error) {
	// Alone in its blocks: what they hold besides p is read and written again.
	defer o.blocks.lock(span{floor(off), ceil(end), true})()
	st, err := fstat(o.fd)
	if err != nil || ceil(end) > st.Size {
		return false, err
	}
	return true, s.writePieces(o, p, off, st.Size)
}

// writeEnd writes p where the file ends or behind it. Whole blocks are all that can be written, so
// the file is cut to its true size afterwards: alone, because that would cut off what others
// append.
func (s *Store) writeEnd(o *object, p []byte, off, end int64) error {
	defer o.blocks.lock(span{0, wholeFile, true})()
	st, err := fstat(o.fd)
	if err != nil {
		return err
	}
	size := max(st.Size, end)
	err = s.writePieces(o, p, off, st.Size)
	if err != nil {
		size = st.Size // the disk is full, or broken: the file is as long as it was
	}
	if now, statErr := fstat(o.fd); statErr != nil || now.Size != size {
		if cut := s.disk.truncate(o.fd, o.path, size); err == nil {
			err = cut
		}
	}
	return err
}

// writePieces writes p to a file of size bytes. The blocks of p are locked.
func (s *Store) writePieces(o *object, p []byte, off, size int64) error {
	for len(p) > 0 {
		n, err := s.writePiece(o, p, off, size)
		if err != nil {
			return err
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// writePiece writes some bytes at the beginning of p: whole blocks straight if p is aligned, the
// rest by way of a buffer.
func (s *Store) writePiece(o *object, p []byte, off, size int64) (int, error) {
	if n := len(p) &^ (blockSize - 1); n > 0 && off%blockSize == 0 && isAligned(p) {
		return n, s.disk.write(o.fd, o.path, p[:n], off)
	}
	bounce := bounces.Get().(*[]byte)
	defer bounces.Put(bounce)
	start := floor(off)
	n := min(int64(len(p)), start+bounceSize-off)
	b := (*bounce)[:ceil(off+n)-start]
	if err := fillEdges(o.fd, b, start, off, off+n, size); err != nil {
		return 0, err
	}
	copy(b[off-start:], p[:n])
	return int(n), s.disk.write(o.fd, o.path, b, start)
}

// fillEdges reads those blocks of b, which is to hold the file from start on, that off..end covers
// in part: at most the first and the last.
func fillEdges(fd int, b []byte, start, off, end, size int64) error {
	last := floor(end)
	if off > start {
		if err := fillBlock(fd, b[:blockSize], start, size); err != nil {
			return err
		}
	}
	if end > last && (last > start || off == start) {
		return fillBlock(fd, b[last-start:], last, size)
	}
	return nil
}

// fillBlock reads the block at off; zeros if the file ends before it.
func fillBlock(fd int, b []byte, off, size int64) error {
	if off >= size {
		clear(b)
		return nil
	}
	return readBlocks(fd, b, off)
}

// cutTo cuts a file, alone: a write at its end would bring back what is cut off.
func (s *Store) cutTo(o *object, size int64) error {
	if s.direct {
		defer o.blocks.lock(span{0, wholeFile, true})()
	}
	return s.disk.truncate(o.fd, o.path, size)
}
