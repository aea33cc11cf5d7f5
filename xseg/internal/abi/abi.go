// Package abi mirrors include/xseg/abi.h in Go: the layout of a segment, field by field, under
// the names of the header (nr_slots is NrSlots).
//
// The header is authoritative; sizes and offsets of these structs are proven against it at
// compile time by the generated file of this package. Words that two sides touch are atomics.
// Everything is little-endian; a position is an offset in bytes from the start of the segment.
// This package holds no behaviour.
package abi

// Part of the layout: do not change without a new ABI version.
const (
	Version = 1
	Magic   = 0x4843524147455358 // "XSEGARCH"

	PageSize    = 4096
	PageShift   = 12
	MinPorts    = 16
	MaxPorts    = 65536
	MaxSlots    = 1024
	MaxData     = 4 << 20
	NameMax     = 63
	RoleMax     = 31
	RundirMax   = 79
	TargetMax   = 176
	InlineMax   = 208
	HistBuckets = 32
)

// States of a slot: the low byte of its state word, the generation lies above it.
const (
	SlotFree      = 0
	SlotSubmitted = 1
	SlotRunning   = 2
	SlotDone      = 3
	SlotCancelled = 4
)

// States of a channel, moved under the control lock only.
const (
	ChannelFree    = 0
	ChannelSetup   = 1
	ChannelLive    = 2
	ChannelOrphan  = 3
	ChannelDrained = 4
)

// States of a port.
const (
	PortFree  = 0
	PortBound = 1
)

// Kinds of a waiter.
const (
	WaiterNone    = 0
	WaiterFutex   = 1
	WaiterEventfd = 2
)

// Control steps that may be found half done.
const (
	StepNone      = 0
	StepBind      = 1
	StepConnect   = 2
	StepReap      = 3
	StepWaiter    = 4
	StepReconnect = 5
	StepUnbind    = 6
)

// Positions of the open-file-description locks on the segment file, far beyond its end. They are
// part of the protocol: every implementation takes the same bytes.
const (
	LockControl = 1 << 40 // one byte: control steps
	LockPorts   = 1 << 41 // + port number: held as long as the port is bound
	LockWaiters = 1 << 42 // + waiter index: held as long as the waiter is in use
)
