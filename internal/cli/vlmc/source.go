package vlmc

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// source is what an import reads.
type source struct {
	file *os.File
	size int64 // bytes; valid if sized
	// sized: a file or block device, read by position, its holes skipped. Else a stream.
	sized bool
}

func openSource(path string) (*source, error) {
	if path == "-" {
		return newSource(os.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := newSource(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func newSource(f *os.File) (*source, error) {
	size, sized, err := sizeOf(f)
	if err != nil {
		return nil, err
	}
	return &source{file: f, size: size, sized: sized}, nil
}

// block is a part of a transfer. data is as long as the part.
type block struct {
	at   int64
	data []byte
}

// blocks calls f for each block that may hold data, in order, until it returns false. Each block
// lies in one range of blockBytes, so that it meets one default object. get returns a buffer of
// blockBytes, or nil to end. limit is the size of the volume: a stream that is longer is an error.
func (s *source) blocks(limit int64, get func() []byte, f func(block) bool) error {
	if s.sized {
		return s.extents(get, f)
	}
	return s.stream(limit, get, f)
}

func (s *source) extents(get func() []byte, f func(block) bool) error {
	for off := int64(0); off < s.size; {
		from, to, err := nextData(s.file, off, s.size)
		if err != nil {
			return err
		}
		for from < to {
			buf := get()
			if buf == nil {
				return nil
			}
			n := min(to-from, blockBytes-from%blockBytes)
			if _, err := s.file.ReadAt(buf[:n], from); err != nil {
				return fmt.Errorf("read at %d: %w", from, unexpected(err))
			}
			if !f(block{from, buf[:n]}) {
				return nil
			}
			from += n
		}
		off = to
	}
	return nil
}

// unexpected: the file was cut while it was read.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (s *source) stream(limit int64, get func() []byte, f func(block) bool) error {
	for off := int64(0); ; {
		buf := get()
		if buf == nil {
			return nil
		}
		n, err := io.ReadFull(s.file, buf)
		if off+int64(n) > limit {
			return fmt.Errorf("the input is longer than the volume, which has %d bytes", limit)
		}
		if n > 0 && !f(block{off, buf[:n]}) {
			return nil
		}
		off += int64(n)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("read at %d: %w", off, err)
		}
	}
}
