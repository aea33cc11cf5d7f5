package mapfmt

import "math/bits"

// Limits of volumes. Part of the format: do not change.
const (
	MinObjectSize     = 64 << 10
	MaxObjectSize     = 64 << 20
	DefaultObjectSize = 4 << 20
	MaxVolumeSize     = 1 << 50 // bytes
	SectorSize        = 512     // a volume's size is a multiple
	minSubBlock       = 4 << 10
)

// CheckObjectSize says whether a volume may have objects of n bytes.
func CheckObjectSize(n int64) error {
	if n < MinObjectSize || n > MaxObjectSize || n&(n-1) != 0 {
		return argumentf("object size", "%d is not a power of two from 64 KiB to 64 MiB", n)
	}
	return nil
}

// CheckVolumeSize says whether a volume may have n bytes.
func CheckVolumeSize(n int64) error {
	switch {
	case n <= 0:
		return argumentf("volume size", "%d is not positive", n)
	case n%SectorSize != 0:
		return argumentf("volume size", "%d is not a multiple of %d", n, SectorSize)
	case n > MaxVolumeSize:
		return argumentf("volume size", "%d is more than 1 PiB", n)
	}
	return nil
}

// SubBlockSize is the number of bytes of a sub-block: a 64th of the object, but at least 4 KiB.
func SubBlockSize(objectSize int64) int64 { return max(minSubBlock, objectSize/SubBlocks) }

// SubBlockCount is the number of sub-blocks of an object, at most 64.
func SubBlockCount(objectSize int64) int { return int(objectSize / SubBlockSize(objectSize)) }

// RealMask has a bit for each sub-block that an object of that size has. Bits beyond it mean
// nothing in a mask that isn't complete; a complete mask is FullMask whatever the object size.
func RealMask(objectSize int64) uint64 {
	return FullMask >> (SubBlocks - SubBlockCount(objectSize))
}

// TouchedMask has a bit for each sub-block that shares a byte with [offset, offset+length) of the
// object; FullMask if those are all. The range MUST lie in the object.
func TouchedMask(objectSize, offset, length int64) uint64 {
	if length <= 0 {
		return 0
	}
	size := SubBlockSize(objectSize)
	return completed(objectSize, maskOf(offset/size, (offset+length-1)/size+1))
}

// CoveredMask has a bit for each sub-block that lies whole in [offset, offset+length) of the
// object; FullMask if those are all. The range MUST lie in the object.
func CoveredMask(objectSize, offset, length int64) uint64 {
	size := SubBlockSize(objectSize)
	first, end := (offset+size-1)/size, (offset+length)/size
	if length <= 0 || first >= end {
		return 0
	}
	return completed(objectSize, maskOf(first, end))
}

// maskOf has the bits first to end-1; 0 <= first < end <= 64.
func maskOf(first, end int64) uint64 {
	return FullMask << uint(first) & (FullMask >> uint(SubBlocks-end))
}

// completed brings a mask to its one form: no bits beyond the object, or all 64.
func completed(objectSize int64, mask uint64) uint64 {
	real := RealMask(objectSize)
	if mask &= real; mask == real {
		return FullMask
	}
	return mask
}

// CountSubBlocks returns how many sub-blocks of an object of that size a mask holds.
func CountSubBlocks(objectSize int64, mask uint64) int {
	return bits.OnesCount64(mask & RealMask(objectSize))
}

// ObjectCount returns the number of objects of a volume.
func ObjectCount(size, objectSize int64) int64 { return (size + objectSize - 1) / objectSize }

// ChunkCount returns the number of chunks of a volume.
func ChunkCount(size, objectSize int64) int64 {
	return (ObjectCount(size, objectSize) + ChunkEntries - 1) / ChunkEntries
}

// IsPaged says whether the chunk table of a volume is kept in pages.
func IsPaged(size, objectSize int64) bool { return ChunkCount(size, objectSize) > PageChunks }

// TableLen returns the length of the table in a volume's record: a row per chunk, or per page.
func TableLen(size, objectSize int64) int {
	n := ChunkCount(size, objectSize)
	if n > PageChunks {
		n = (n + PageChunks - 1) / PageChunks
	}
	return int(n)
}
