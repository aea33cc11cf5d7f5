package abi

import (
	"structs"
	"sync/atomic"
)

// VolumeOp are the counters of one kind of request on a volume.
type VolumeOp struct {
	_        structs.HostLayout
	Requests atomic.Uint64
	Errors   atomic.Uint64
	Bytes    atomic.Uint64
	Reserved uint64
	Latency  [32]atomic.Uint64 // [i] counts 2^i <= ns/256 < 2^(i+1)
}

// Volume is the row of a volume that is served: a page. Written by the owner that the owner table
// names, read by anyone. Uuid and Name are words, so that a reader beside the writer reads atomics.
type Volume struct {
	_           structs.HostLayout
	Seq         atomic.Uint32 // odd while the description changes
	Port        atomic.Uint32
	Uuid        [2]atomic.Uint64
	Size        atomic.Uint64
	Depth       atomic.Uint64
	Successions atomic.Uint64
	Since       atomic.Uint64 // nanoseconds on CLOCK_BOOTTIME
	NameSize    atomic.Uint32
	Flags       atomic.Uint32
	Name        [16]atomic.Uint64
	Pad         [64]uint8
	Ops         [4]VolumeOp
	Reserved    [2688]uint8
}
