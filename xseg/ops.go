package xseg

// Operations of requests; the names and numbers of abi.h.
const (
	OpPing        uint32 = 0
	OpRead        uint32 = 1
	OpWrite       uint32 = 2
	OpSync        uint32 = 3
	OpTruncate    uint32 = 4
	OpDelete      uint32 = 5
	OpAcquire     uint32 = 6
	OpRelease     uint32 = 7
	OpCopy        uint32 = 8
	OpClone       uint32 = 9
	OpCommit      uint32 = 10
	OpInfo        uint32 = 11
	OpMapr        uint32 = 12
	OpMapw        uint32 = 13
	OpOpen        uint32 = 14
	OpClose       uint32 = 15
	OpSnapshot    uint32 = 16
	OpHash        uint32 = 17
	OpCreate      uint32 = 18
	OpRename      uint32 = 19
	OpFlush       uint32 = 20
	OpDiscard     uint32 = 32
	OpWriteZeroes uint32 = 33
	OpList        uint32 = 34
	OpStat        uint32 = 35
	OpAppend      uint32 = 36
	OpReplace     uint32 = 37
	OpLockAdvance uint32 = 38
	OpLockRead    uint32 = 39
	OpResize      uint32 = 40
	OpRollback    uint32 = 41
	OpFlatten     uint32 = 42
	OpLease       uint32 = 43
	OpBlockStatus uint32 = 44
)

// Flags of requests; the names and numbers of abi.h.
const (
	ReqNosync uint32 = 1
	ReqFlush  uint32 = 2
	ReqFUA    uint32 = 4
	ReqForce  uint32 = 8
	ReqExcl   uint32 = 16
)

// Limits of the layout; the names and numbers of abi.h.
const (
	MaxData       = 4 << 20
	MaxSlots      = 1024
	TargetMax     = 176
	InlineMax     = 208
	VolumeNameMax = 128
	PageSize      = 4096
)
