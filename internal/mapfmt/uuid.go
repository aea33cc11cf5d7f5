package mapfmt

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
)

// NewUUID returns a random UUID (version 4).
func NewUUID() UUID {
	var u UUID
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// NewBirth returns a random number that isn't 0: the birth of an object, or the salt of a chunk.
func NewBirth() uint64 {
	for {
		var b [8]byte
		rand.Read(b[:])
		if n := binary.LittleEndian.Uint64(b[:]); n != 0 {
			return n
		}
	}
}

// FormatUUID returns the canonical form: 8-4-4-4-12 lower-case hexadecimal digits.
func FormatUUID(u UUID) string {
	var b [36]byte
	putUUID(&b, u)
	return string(b[:])
}

func putUUID(b *[36]byte, u UUID) {
	hex.Encode(b[0:8], u[0:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:36], u[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
}

// ParseUUID reads the canonical form and nothing else, so that each UUID has exactly one name.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) != 36 {
		return u, namef("UUID %.40q has %d bytes, not 36", s, len(s))
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return UUID{}, namef("UUID %q lacks the hyphen at byte %d", s, i)
			}
			continue
		}
		d, ok := hexDigit(s[i])
		if !ok {
			return UUID{}, namef("UUID %q has %q at byte %d", s, s[i], i)
		}
		u[n/2] = u[n/2]<<4 | d
		n++
	}
	return u, nil
}

// hexDigit accepts lower case only: see ParseUUID.
func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
