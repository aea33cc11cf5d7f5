package mapfmt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Version is the version that this code writes and reads. 0 to 3 are those of the original.
// Part of the format: do not change.
const Version = 4

// The frame around every file. Part of the format: do not change, in no version.
//
//	0  magic    8 bytes
//	8  version  u32
//	12 length   u32, of the whole frame with its CRC
//	16 body
//	   crc      u32, CRC-32C of everything before it
const (
	frameHeader  = 16
	frameTrailer = 4
	frameMin     = frameHeader + frameTrailer
)

// originalSignature is what maps of the original system begin with, from its version 2 on.
const originalSignature = "AMF."

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// kind is one of the kinds of files.
type kind struct {
	magic string // 8 bytes
	what  string // in errors
}

// Kinds of files. The magics are part of the format: do not change.
var (
	kindRecord    = kind{"ARCHVOLR", "volume record"}
	kindChunk     = kind{"ARCHCHNK", "chunk"}
	kindPage      = kind{"ARCHPAGE", "table page"}
	kindTombstone = kind{"ARCHTOMB", "tombstone"}
	kindLock      = kind{"ARCHLOCK", "lock"}
	kindLease     = kind{"ARCHLEAS", "lease"}
	kindStore     = kind{"ARCHSTOR", "store header"}
	kindGroup     = kind{"ARCHGRUP", "group of snapshots"}
	kindPending   = kind{"ARCHPEND", "pending log"}
)

// beginFrame starts an encoding of about size bytes; endFrame completes it.
func beginFrame(k kind, size int) []byte {
	b := make([]byte, 0, frameMin+size)
	b = append(b, k.magic...)
	b = appendU32(b, Version)
	return appendU32(b, 0)
}

func endFrame(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[12:], uint32(len(b)+frameTrailer))
	return appendU32(b, crc32.Checksum(b, castagnoli))
}

// openFrame checks the frame at the start of data and returns a reader of its body, its length and
// its CRC. What follows the frame is the caller's.
func openFrame(k kind, data []byte) (r *reader, length int, sum uint32, err error) {
	if err := checkMagic(k, data); err != nil {
		return nil, 0, 0, err
	}
	n := binary.LittleEndian.Uint32(data[12:])
	if n < frameMin || uint64(n) > uint64(len(data)) {
		return nil, 0, 0, corruptf(k.what, "length %d, but %d bytes are there", n, len(data))
	}
	length = int(n)
	end := length - frameTrailer
	sum = crc32.Checksum(data[:end], castagnoli)
	if got := binary.LittleEndian.Uint32(data[end:]); got != sum {
		return nil, 0, 0, corruptf(k.what, "CRC is %08x, the bytes give %08x", got, sum)
	}
	// Only now: a version in bytes that don't check would blame the wrong thing.
	if v := binary.LittleEndian.Uint32(data[8:]); v != Version {
		return nil, 0, 0, fmt.Errorf("%s: version %d, this code knows %d: %w",
			k.what, v, Version, ErrVersion)
	}
	return &reader{what: k.what, rest: data[frameHeader:end]}, length, sum, nil
}

func checkMagic(k kind, data []byte) error {
	if len(data) >= 8 && string(data[:4]) == originalSignature {
		return fmt.Errorf("%s: signature %s, version %d: %w",
			k.what, originalSignature, binary.BigEndian.Uint32(data[4:]), ErrOriginal)
	}
	if len(data) < frameMin {
		return corruptf(k.what, "%d bytes are less than the %d of an empty one", len(data), frameMin)
	}
	if got := data[:8]; string(got) != k.magic {
		return corruptf(k.what, "magic is %q, not %q", got, k.magic)
	}
	return nil
}

// openWhole is openFrame for files that are nothing but their frame.
func openWhole(k kind, data []byte) (*reader, error) {
	r, length, _, err := openFrame(k, data)
	if err == nil && length != len(data) {
		err = corruptf(k.what, "%d bytes follow its end", len(data)-length)
	}
	return r, err
}
