package xseg

import (
	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/channel"
)

// PortInfo describes a bound port.
type PortInfo struct {
	No          PortNo
	Role        string
	PID         int
	Alive       bool // the range lock of the port is held
	Incarnation uint64
	Counters    Counters
}

// ChannelInfo describes a channel in use.
type ChannelInfo struct {
	ID          int
	State       string
	Src, Dst    PortNo
	Slots       int
	BufferBytes int64
	BackedBytes int64 // of the buffers
	SlotsBacked int
	InFlight    int
	Counters    Counters
}

// Ports lists bound ports (dead holders included: Alive is false). Asks no peer.
func (s *Segment) Ports() []PortInfo {
	var list []PortInfo
	for no := range s.ports {
		p := &s.ports[no]
		if p.State.Load() != abi.PortBound {
			continue
		}
		inc := p.Incarnation.Load()
		list = append(list, PortInfo{
			No: PortNo(no), Role: cString(p.Role[:]), PID: int(p.Pid.Load()),
			Alive: s.portAlive(uint32(no), inc), Incarnation: inc, Counters: loadCounters(&p.Counters),
		})
	}
	return list
}

var channelStateNames = [...]string{"free", "setup", "live", "orphan", "drained"}

// Channels lists channels in use. Asks no peer.
func (s *Segment) Channels() []ChannelInfo {
	var list []ChannelInfo
	for id := range s.channels {
		c := &s.channels[id]
		st := c.State.Load()
		if st == abi.ChannelFree || int(st) >= len(channelStateNames) {
			continue
		}
		info := ChannelInfo{
			ID: id, State: channelStateNames[st],
			Src: PortNo(c.SrcPort.Load()), Dst: PortNo(c.DstPort.Load()),
			Slots: int(c.NrSlots.Load()), BufferBytes: int64(c.BufferSize.Load()),
			BackedBytes: int64(c.BufferBacked.Load()), SlotsBacked: int(c.SlotsBacked.Load()),
			Counters: loadCounters(&c.Counters),
		}
		if v, ok := s.viewOf(c); ok && inUse(st) {
			info.InFlight = v.Busy(c.SlotsBacked.Load())
		}
		info.Counters.InFlight = uint64(info.InFlight)
		list = append(list, info)
	}
	return list
}

// viewOf opens the extent that a table entry names, if the entry makes sense.
func (s *Segment) viewOf(c *abi.Channel) (channel.View, bool) {
	off, nr := c.ExtentOffset.Load(), c.NrSlots.Load()
	if !channel.Valid(nr) || off < s.t.heap || off > s.t.size || off%abi.PageSize != 0 {
		return channel.View{}, false
	}
	size := channel.Size(nr)
	if size > s.t.size-off {
		return channel.View{}, false
	}
	return channel.Open(s.mem[off:off+size], off, nr), true
}
