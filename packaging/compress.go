package main

import (
	"bytes"
	"compress/gzip"
	"os"
)

// compress replaces a file by path.gz, without name and time in it, so that the same text gives the
// same bytes.
func compress(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(path+".gz", out.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Remove(path)
}
