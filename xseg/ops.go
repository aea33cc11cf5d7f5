package xseg

import "archipelago/xseg/internal/abi"

// Operations of requests: those of abi.h.
const (
	OpPing          uint32 = abi.OpPing
	OpRead          uint32 = abi.OpRead
	OpWrite         uint32 = abi.OpWrite
	OpSync          uint32 = abi.OpSync
	OpTruncate      uint32 = abi.OpTruncate
	OpDelete        uint32 = abi.OpDelete
	OpAcquire       uint32 = abi.OpAcquire
	OpRelease       uint32 = abi.OpRelease
	OpCopy          uint32 = abi.OpCopy
	OpClone         uint32 = abi.OpClone
	OpCommit        uint32 = abi.OpCommit
	OpInfo          uint32 = abi.OpInfo
	OpMapr          uint32 = abi.OpMapr
	OpMapw          uint32 = abi.OpMapw
	OpOpen          uint32 = abi.OpOpen
	OpClose         uint32 = abi.OpClose
	OpSnapshot      uint32 = abi.OpSnapshot
	OpHash          uint32 = abi.OpHash
	OpCreate        uint32 = abi.OpCreate
	OpRename        uint32 = abi.OpRename
	OpFlush         uint32 = abi.OpFlush
	OpDiscard       uint32 = abi.OpDiscard
	OpWriteZeroes   uint32 = abi.OpWriteZeroes
	OpList          uint32 = abi.OpList
	OpStat          uint32 = abi.OpStat
	OpAppend        uint32 = abi.OpAppend
	OpReplace       uint32 = abi.OpReplace
	OpLockAdvance   uint32 = abi.OpLockAdvance
	OpLockRead      uint32 = abi.OpLockRead
	OpResize        uint32 = abi.OpResize
	OpRollback      uint32 = abi.OpRollback
	OpFlatten       uint32 = abi.OpFlatten
	OpLease         uint32 = abi.OpLease
	OpBlockStatus   uint32 = abi.OpBlockStatus
	OpUsage         uint32 = abi.OpUsage
	OpDiff          uint32 = abi.OpDiff
	OpSnapshotGroup uint32 = abi.OpSnapshotGroup
	OpTrace         uint32 = abi.OpTrace
	OpFill          uint32 = abi.OpFill
)

// Flags of requests: those of abi.h.
const (
	ReqNosync  uint32 = abi.ReqNosync
	ReqFlush   uint32 = abi.ReqFlush
	ReqFUA     uint32 = abi.ReqFua
	ReqForce   uint32 = abi.ReqForce
	ReqExcl    uint32 = abi.ReqExcl
	ReqReplace uint32 = abi.ReqReplace
)

// Limits of the layout: those of abi.h.
const (
	MaxData       = abi.MaxData
	MaxSlots      = abi.MaxSlots
	TargetMax     = abi.TargetMax
	InlineMax     = abi.InlineMax
	VolumeNameMax = abi.VolumeNameMax
	PageSize      = abi.PageSize
)
