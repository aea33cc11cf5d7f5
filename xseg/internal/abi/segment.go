package abi

import (
	"structs"
	"sync/atomic"
)

// Header is the start of the segment: written by its creator before Ready, but for the lease
// (written by the mapper) and the control words (written by the holder of the control lock).
type Header struct {
	_                 structs.HostLayout
	Magic             uint64
	AbiVersion        uint32
	HeaderSize        uint32
	Features          uint64
	PortSize          uint32
	WaiterSize        uint32
	ChannelSize       uint32
	ChannelHeaderSize uint32
	SlotSize          uint32
	PageShift         uint32
	NrPorts           uint32
	NrWaiters         uint32
	NrChannels        uint32
	Ready             atomic.Uint32 // released by the creator last; 0 again once destroyed
	SegmentSize       uint64
	PortsOffset       uint64
	WaitersOffset     uint64
	ChannelsOffset    uint64
	HeapOffset        uint64
	HeapSize          uint64
	Nonce             [16]uint8
	BootId            [16]uint8
	Name              [64]uint8
	RuntimeDir        [80]uint8

	VolumeOwnersOffset uint64
	VolumesOffset      uint64
	NrVolumes          uint32
	VolumeSize         uint32
	VolumesMissed      atomic.Uint64 // added to by any server
	Pad0               [64]uint8

	LeaseDeadline atomic.Uint64 // nanoseconds on CLOCK_BOOTTIME; all ones: never
	Term          atomic.Uint64
	Pad1          [48]uint8

	ControlPid      atomic.Uint32
	ControlStep     atomic.Uint32
	ControlArg      atomic.Uint64
	ControlSince    atomic.Uint64 // nanoseconds on CLOCK_BOOTTIME
	NextIncarnation atomic.Uint64
	NextSerial      atomic.Uint64
	Pad2            [24]uint8
	Reserved        [3584]uint8
}

// Counters are written by their owner alone and read by anyone.
type Counters struct {
	_            structs.HostLayout
	Requests     atomic.Uint64
	Errors       atomic.Uint64
	BytesRead    atomic.Uint64
	BytesWritten atomic.Uint64
	InFlight     atomic.Uint64
	Wakes        atomic.Uint64
	Restarts     atomic.Uint64
	Reserved     uint64
	Latency      [32]atomic.Uint64 // [i] counts 2^i <= ns/256 < 2^(i+1)
}

// Port is one entry of the port table: written by its holder under the control lock, but for the
// counters.
type Port struct {
	_           structs.HostLayout
	State       atomic.Uint32
	Pid         atomic.Uint32
	StartTime   atomic.Uint64 // clock ticks since boot
	Incarnation atomic.Uint64
	Waiter      atomic.Uint32
	Flags       atomic.Uint32
	Role        [32]uint8
	Pad         [64]uint8
	Counters    Counters
	Reserved    [64]uint8
}

// Waiter is the wait word of one serving thread: even = awake, odd = asleep.
type Waiter struct {
	_         structs.HostLayout
	Word      atomic.Uint32
	Kind      atomic.Uint32
	Pid       atomic.Uint32
	Pad       uint32
	StartTime atomic.Uint64
	Reserved  [40]uint8
}

// Channel is one entry of the channel table, which is also the only record of who owns which
// extent. Written under the control lock, but for BufferBacked and Counters: by the submitter.
type Channel struct {
	_              structs.HostLayout
	State          atomic.Uint32
	Flags          atomic.Uint32
	SrcPort        atomic.Uint32
	DstPort        atomic.Uint32
	SrcIncarnation atomic.Uint64
	DstIncarnation atomic.Uint64
	Serial         atomic.Uint64
	ExtentOffset   atomic.Uint64
	ExtentSize     atomic.Uint64
	BufferOffset   atomic.Uint64
	BufferSize     atomic.Uint64
	BufferBacked   atomic.Uint64
	NrSlots        atomic.Uint32
	SlotsBacked    atomic.Uint32
	Pad1           [40]uint8
	Counters       Counters
	Reserved       [64]uint8
}
