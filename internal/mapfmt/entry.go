package mapfmt

// UUID names a volume for good; names of volumes may change, UUIDs don't.
type UUID = [16]byte

// ChunkEntries is the number of map entries in a chunk. Part of the format: do not change.
const ChunkEntries = 1024

// SubBlocks is the number of sub-blocks of an object with at least 64 pages of 4 KiB; a smaller
// object has fewer. See SubBlockSize.
const SubBlocks = 64

// FullMask marks every sub-block of an object as present.
const FullMask = ^uint64(0)

// MaxLevels is how many levels a stored entry has at most; a fourth exists only in the answer to
// MAPW, while an object is being born (see Entry).
const MaxLevels = 3

// Bottom says what lies below all levels of an entry.
type Bottom uint8

// The kinds of bottom. Part of the format: do not change.
const (
	BottomZero    Bottom = 0 // nothing: zeros
	BottomHashed  Bottom = 1 // the object named by the SHA-256 in Key
	BottomForeign Bottom = 2 // an entry of an old map: origin number and index in Key
)

// Level names an object, (UUID, Epoch, Birth), and says which sub-blocks it holds.
type Level struct {
	UUID  UUID
	Epoch uint64
	Birth uint64
	Mask  uint64
}

// Entry says where the bytes of one object of a volume are.
//
// A reader takes each sub-block from the first level whose mask holds it; if none does, from the
// bottom. Level 0 may be written in place iff its (UUID, Epoch) is the volume's own present one.
// Levels are dense: Levels[:NumLevels] are set, the rest is zero. Comparable with ==.
type Entry struct {
	Bottom    Bottom
	NumLevels uint8
	Key       [32]byte
	Levels    [MaxLevels + 1]Level
}
