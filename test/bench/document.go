package main

import (
	"bytes"
	"fmt"
	"os"
)

// writeBetween replaces what stands in a document between the markers of name.
func writeBetween(path, name, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	updated, err := replaceBetween(old, name, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, updated, 0o644)
}

func replaceBetween(old []byte, name, text string) ([]byte, error) {
	begin, end := []byte("<!-- "+name+":begin -->\n"), []byte("<!-- "+name+":end -->\n")
	before, rest, ok := bytes.Cut(old, begin)
	_, after, closed := bytes.Cut(rest, end)
	if !ok || !closed {
		return nil, fmt.Errorf("markers %q and %q are not both there", bytes.TrimSpace(begin), bytes.TrimSpace(end))
	}
	return bytes.Join([][]byte{before, begin, []byte(text), end, after}, nil), nil
}
