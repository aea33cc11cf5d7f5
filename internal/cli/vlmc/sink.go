package vlmc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"archipelago/internal/cli"
)

// sink is what an export writes.
type sink struct {
	file *os.File
	// sparse: a new regular file; zeros are left out, so that they become holes.
	sparse bool
	// positioned: written by position (file, block device); else a stream.
	positioned bool
}

// openSink makes the file at path, which must not be there unless force is given, or opens what
// isn't a regular file: a block device, a pipe, or standard output for "-".
func openSink(path string, size int64, force bool) (*sink, error) {
	if path == "-" {
		if cli.IsTerminal(os.Stdout) {
			return nil, cli.Usagef("standard output is a terminal: a volume would spoil it")
		}
		return newSink(os.Stdout, size, false)
	}
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return newSink(f, size, false)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return nil, &cli.CodeError{Code: cli.ExitExists, Err: fmt.Errorf("%w (--force overwrites it)", err)}
	}
	if err != nil {
		return nil, err
	}
	return newSink(f, size, true)
}

func newSink(f *os.File, size int64, created bool) (*sink, error) {
	s := &sink{file: f, sparse: created, positioned: created}
	if !created {
		have, sized, err := sizeOf(f)
		st, statErr := f.Stat()
		if err := errors.Join(err, statErr); err != nil {
			return nil, err
		}
		// A regular file here is standard output: somebody else's position in it counts.
		s.positioned = sized && !st.Mode().IsRegular()
		if s.positioned && have < size {
			return nil, fmt.Errorf("%s has %d bytes, but the volume has %d", f.Name(), have, size)
		}
		return s, nil
	}
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(err, s.abandon())
	}
	return s, nil
}

// write writes a block. Blocks come in order.
func (s *sink) write(b block) error {
	if !s.positioned {
		_, err := s.file.Write(b.data)
		return err
	}
	runs := []run{{0, len(b.data)}}
	if s.sparse {
		runs = dataRuns(b.data)
	}
	for _, r := range runs {
		if _, err := s.file.WriteAt(b.data[r.from:r.to], b.at+int64(r.from)); err != nil {
			return err
		}
	}
	return nil
}

// finish makes what was written durable, where that means something.
func (s *sink) finish() error {
	var err error
	if s.positioned {
		err = s.file.Sync()
	}
	return errors.Join(err, s.file.Close())
}

// abandon closes the output, and removes a file that was made for it.
func (s *sink) abandon() error {
	err := s.file.Close()
	if s.sparse {
		err = errors.Join(err, os.Remove(s.file.Name()))
	}
	return err
}
