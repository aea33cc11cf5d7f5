package xseg

import (
	"fmt"
	"slices"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/channel"
	"archipelago/xseg/internal/step"
)

// span is a range of the heap in use.
type span struct{ off, end uint64 }

// placeExtent finds room for n bytes: first-fit between the extents in the channel table, which
// is the only record of them. Under the control lock.
func (s *Segment) placeExtent(n uint64) (uint64, error) {
	var used []span
	for id := range s.channels {
		c := &s.channels[id]
		if c.State.Load() != abi.ChannelFree {
			off := c.ExtentOffset.Load()
			used = append(used, span{off, off + c.ExtentSize.Load()})
		}
	}
	slices.SortFunc(used, func(a, b span) int {
		if a.off < b.off {
			return -1
		}
		return 1
	})
	at := s.t.heap
	for _, u := range used {
		if u.off >= at && u.off-at >= n {
			return at, nil
		}
		at = max(at, pageUp(min(u.end, s.t.size))) // also a scribbled entry leaves it sane
	}
	if at > s.t.size || s.t.size-at < n {
		return 0, fmt.Errorf("no %d contiguous bytes in a segment of %d: %w", n, s.t.size, ErrNoMemory)
	}
	return at, nil
}

// slotStep is how many slots get memory at a time.
const slotStep = 32

// place is where a channel lies: what its submitter keeps, so that it never believes the table.
type place struct {
	id      int
	view    channel.View
	buffers uint64 // position of the buffer area
}

// newChannel takes a table entry and an extent and makes the channel live. Under the control lock.
func (s *Segment) newChannel(src PortNo, srcInc uint64, dst PortNo, nr uint32, buffer uint64) (place, error) {
	id := slices.IndexFunc(s.channelStates(), func(st uint32) bool { return st == abi.ChannelFree })
	if id < 0 {
		return place{}, fmt.Errorf("all %d channels of the segment are in use: %w", s.t.nrChannels, ErrLimit)
	}
	size := channel.Size(nr)
	off, err := s.placeExtent(size + buffer)
	if err != nil {
		return place{}, err
	}
	c := &s.channels[id]
	c.Flags.Store(0)
	c.SrcPort.Store(uint32(src))
	c.DstPort.Store(uint32(dst))
	c.SrcIncarnation.Store(srcInc)
	c.DstIncarnation.Store(0)
	c.Serial.Store(s.hdr.NextSerial.Add(1))
	c.ExtentOffset.Store(off)
	c.ExtentSize.Store(size + buffer)
	c.BufferOffset.Store(off + size)
	c.BufferSize.Store(buffer)
	c.BufferBacked.Store(0)
	c.NrSlots.Store(nr)
	backed := min(nr, slotStep)
	c.SlotsBacked.Store(backed)
	zeroCounters(&c.Counters)
	c.State.Store(abi.ChannelSetup)
	step.At(step.SetupEntry)
	if err := s.file.Back(int64(off), int64(channel.Backing(nr, backed))); err != nil {
		s.freeChannel(id)
		return place{}, noMemory(err)
	}
	v := channel.Open(s.mem[off:off+size], off, nr)
	v.Init()
	step.At(step.SetupBacked)
	c.State.Store(abi.ChannelLive)
	return place{id: id, view: v, buffers: off + size}, nil
}

func (s *Segment) channelStates() []uint32 {
	states := make([]uint32, len(s.channels))
	for id := range s.channels {
		states[id] = s.channels[id].State.Load()
	}
	return states
}

// inBuffers tells whether [off, off+n) lies in memory of one channel's buffer area that is there
// to be touched, and names the channel. hint is looked at first.
func (s *Segment) inBuffers(off, n uint64, hint uint32) (uint32, bool) {
	if hint < s.t.nrChannels && s.inBuffer(&s.channels[hint], off, n) {
		return hint, true
	}
	for id := range s.channels {
		if s.inBuffer(&s.channels[id], off, n) {
			return uint32(id), true
		}
	}
	return 0, false
}

// inBuffer reads each word of the entry once; a broken one at worst lets a range inside the heap
// through.
func (s *Segment) inBuffer(c *abi.Channel, off, n uint64) bool {
	if st := c.State.Load(); !inUse(st) {
		return false
	}
	start, size := c.BufferOffset.Load(), c.BufferBacked.Load()
	if start < s.t.heap || start > s.t.size || size > s.t.size-start {
		return false
	}
	return off >= start && off-start <= size && n <= size-(off-start)
}
