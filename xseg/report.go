package xseg

import (
	"fmt"
	"time"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/channel"
	"archipelago/xseg/internal/shm"
)

// Info describes a segment as a whole.
type Info struct {
	Name        string
	RuntimeDir  string
	ABIVersion  uint32
	Features    uint64
	PageShift   int
	SizeBytes   int64 // of the file; most of it has no memory behind it
	TableBytes  int64 // header and tables: always backed
	BackedBytes int64 // memory behind the file; -1 if its name is gone
	Ports       int   // rows of the port table
	Waiters     int   // rows of the waiter table
	WaitersUsed int
	Channels    int // rows of the channel table
	Volumes     int // rows of the volume table
	// VolumesMissed counts the volumes that are, or were, served without a row: all were taken.
	VolumesMissed uint64
	Lease         LeaseInfo
	Control       ControlInfo
}

// LeaseInfo describes the lease of the node on its storage.
type LeaseInfo struct {
	Term    uint64
	Endless bool          // there is none, or it never ends
	Left    time.Duration // until it ends; negative: since it ended
}

// ControlInfo describes the control step that somebody is in, or was in when it died.
type ControlInfo struct {
	Step string // "" = none
	PID  int
	Arg  uint64        // port or channel, as the step has it
	For  time.Duration // since it began
}

var stepNames = [...]string{
	abi.StepBind: "bind", abi.StepConnect: "connect", abi.StepReap: "reap", abi.StepWaiter: "waiter",
	abi.StepReconnect: "reconnect", abi.StepUnbind: "unbind",
}

// Info describes the segment. Asks no peer, and takes no lock.
func (s *Segment) Info() Info {
	i := Info{
		Name: s.name, RuntimeDir: s.runDir,
		ABIVersion: abi.Version, Features: s.hdr.Features, PageShift: abi.PageShift,
		SizeBytes: int64(s.t.size), TableBytes: int64(s.t.volumes), BackedBytes: -1,
		Ports: int(s.t.nrPorts), Waiters: int(s.t.nrWaiters), Channels: int(s.t.nrChannels),
		Volumes: int(s.t.nrVolumes), VolumesMissed: s.hdr.VolumesMissed.Load(),
		Lease: s.leaseInfo(), Control: s.controlInfo(),
	}
	if n, err := shm.Backed(s.name); err == nil {
		i.BackedBytes = n
	}
	for no := range s.waiters {
		if s.waiters[no].Kind.Load() != abi.WaiterNone && s.waiterHeld(uint32(no)) {
			i.WaitersUsed++
		}
	}
	return i
}

// Destroyed tells whether the segment's name is gone, or belongs to another segment by now: Join
// would not find this one.
func (s *Segment) Destroyed() bool {
	return s.hdr.Ready.Load() != 1 || !s.file.Named(s.name)
}

// waiterHeld tells whether somebody alive holds a waiter.
func (s *Segment) waiterHeld(no uint32) bool {
	s.mu.Lock()
	mine := s.heldWaiters[no]
	s.mu.Unlock()
	return mine || s.file.LockedByOther(abi.LockWaiters+int64(no))
}

func (s *Segment) leaseInfo() LeaseInfo {
	deadline, term := s.Lease()
	if deadline == ^uint64(0) {
		return LeaseInfo{Term: term, Endless: true}
	}
	return LeaseInfo{Term: term, Left: time.Duration(int64(deadline - shm.Boottime()))}
}

func (s *Segment) controlInfo() ControlInfo {
	step, since := s.hdr.ControlStep.Load(), s.hdr.ControlSince.Load()
	if step == abi.StepNone {
		return ControlInfo{}
	}
	i := ControlInfo{Step: fmt.Sprint(step), PID: int(s.hdr.ControlPid.Load()), Arg: s.hdr.ControlArg.Load()}
	if int(step) < len(stepNames) {
		i.Step = stepNames[step]
	}
	if now := shm.Boottime(); now > since {
		i.For = time.Duration(now - since)
	}
	return i
}

// MemoryBytes returns the memory behind the channel: its rings, and as many of its slots and
// as much of its buffer area as were ever used.
func (c *ChannelInfo) MemoryBytes() int64 {
	if !channel.Valid(uint32(c.Slots)) {
		return c.BackedBytes
	}
	return int64(channel.Backing(uint32(c.Slots), uint32(c.SlotsBacked))) + c.BackedBytes
}
