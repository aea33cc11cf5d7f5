package abi

import (
	"structs"
	"sync/atomic"
)

// ChannelHeader is the start of a channel's extent; ring and slots follow.
type ChannelHeader struct {
	_           structs.HostLayout
	Tail        atomic.Uint32 // next ring entry to publish; released by the submitter
	Pad0        [60]uint8
	Head        atomic.Uint32 // next ring entry to serve; released by the server
	Pad1        [60]uint8
	Done        [16]atomic.Uint64 // server: fetch-or; submitter: swap with 0
	NrSlots     uint32
	RingOffset  uint32
	SlotsOffset uint32
	Pad2        uint32
	Reserved    [240]uint8
}

// RingEntry is one entry of the submission ring, released and acquired by Tail.
type RingEntry struct {
	_          structs.HostLayout
	Slot       uint32
	Generation uint32
}

// Slot is one request. The submitter writes it while it is FREE; between RUNNING and DONE the
// server owns Error, Serviced, InlineSize and Payload. Each field is read once and checked.
type Slot struct {
	_          structs.HostLayout
	State      atomic.Uint64
	Op         uint32
	Flags      uint32
	Volume     [16]uint8
	Term       uint64
	Offset     uint64
	Size       uint64
	DataOffset uint64
	DataSize   uint64
	TargetSize uint32
	InlineSize uint32
	RequestId  [16]uint8
	Error      int32
	Pad        uint32
	Serviced   uint64
	Trace      uint64
	Submitted  uint64 // nanoseconds on CLOCK_MONOTONIC
	Payload    [208]uint8
	Target     [176]uint8
}
