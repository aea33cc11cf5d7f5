package abi

import "structs"

// MapLevel is one level of a map entry.
type MapLevel struct {
	_     structs.HostLayout
	Uuid  [16]uint8
	Epoch uint64
	Birth uint64
	Mask  uint64
}

// MapEntry is the translation of one object of a volume.
type MapEntry struct {
	_        structs.HostLayout
	Bottom   uint8
	NrLevels uint8
	Pad      [6]uint8
	Key      [32]uint8
	Level    [4]MapLevel
}

// VolumeInfo is the reply to OPEN, INFO, SNAPSHOT and CLONE.
type VolumeInfo struct {
	_          structs.HostLayout
	Uuid       [16]uint8
	Size       uint64
	ObjectSize uint32
	Flags      uint32
	Epoch      uint64
	Term       uint64
	Generation uint64
	Port       uint32
	NrChunks   uint32
	Created    int64
	Modified   int64
	Origin     [16]uint8
	Owner      [64]uint8
	Reserved   [48]uint8
}

// CopyArgs name the source of a COPY.
type CopyArgs struct {
	_        structs.HostLayout
	Offset   uint64
	NameSize uint32
	Length   uint32
	Name     [192]uint8
}

// NameArgs carry the second name of SNAPSHOT, RENAME and HASH.
type NameArgs struct {
	_        structs.HostLayout
	Name     [256]uint8
	NameSize uint32
}

// CloneArgs are the arguments of CLONE.
type CloneArgs struct {
	_          structs.HostLayout
	Name       [256]uint8
	NameSize   uint32
	Pad        uint32
	Size       uint64
	ObjectSize uint64
}

// GroupArgs is struct xseg_group_args: the group that a snapshot belongs to.
type GroupArgs struct {
	_         structs.HostLayout
	Group     [16]uint8
	NrMembers uint32
	Pad       uint32
}

// Usage is struct xseg_usage: the reply to USAGE.
type Usage struct {
	_         structs.HostLayout
	Allocated uint64
	Exclusive uint64
	Shared    uint64
	NrObjects uint64
	Reserved  [4]uint64
}

// Range is struct xseg_range: a range in the reply to DIFF.
type Range struct {
	_      structs.HostLayout
	Offset uint64
	Length uint64
	Kind   uint32
	Pad    uint32
}

// DiffNext is struct xseg_diff_next: where DIFF goes on.
type DiffNext struct {
	_     structs.HostLayout
	Index uint64
	More  uint32
	Pad   uint32
}
