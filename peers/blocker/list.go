package blocker

import (
	"encoding/binary"
	"fmt"
)

// PutName encodes name at the end of data[:n] in the form of List. It returns the new n, or false
// if it doesn't fit.
func PutName(data []byte, n int, name string) (int, bool) {
	if len(data)-n < 2+len(name) {
		return n, false
	}
	binary.LittleEndian.PutUint16(data[n:], uint16(len(name)))
	copy(data[n+2:], name)
	return n + 2 + len(name), true
}

// Names calls f for each name of an answer of List (Data[:N]) until f fails. ErrArgument if data is
// malformed.
func Names(data []byte, f func(name string) error) error {
	for len(data) > 0 {
		if len(data) < 2 {
			return fmt.Errorf("list: %d bytes after the last name: %w", len(data), ErrArgument)
		}
		n := int(binary.LittleEndian.Uint16(data))
		if n == 0 || n > NameMax || n > len(data)-2 {
			return fmt.Errorf("list: name of %d bytes, %d are left: %w", n, len(data)-2, ErrArgument)
		}
		if err := f(string(data[2 : 2+n])); err != nil {
			return err
		}
		data = data[2+n:]
	}
	return nil
}
