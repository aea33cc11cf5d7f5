package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// warm reads all files below the paths, so that they lie in the page cache when a measurement begins:
// what is compared are servers, not what the machine had reclaimed of one's files while another was
// measured. Files that go meanwhile need no reading.
func warm(paths []string) error {
	buf := make([]byte, 1<<20)
	for _, path := range paths {
		err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				err = readThrough(name, buf)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("warm %s: %w", path, err)
		}
	}
	return nil
}

func readThrough(name string, buf []byte) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if _, err := f.Read(buf); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}
