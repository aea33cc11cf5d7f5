package xseg

import (
	"fmt"

	"archipelago/xseg/internal/abi"
)

// tables says where the tables of a segment are. It is computed when a segment is created, read
// from the header and checked once when it is joined, and never read again.
type tables struct {
	ports, waiters, channels, owners, volumes, heap uint64 // offsets
	nrPorts, nrWaiters, nrChannels, nrVolumes       uint32
	size                                            uint64
}

const (
	headerSize  = 4096
	portSize    = 512
	waiterSize  = 64
	channelSize = 512
	chanHdrSize = 512
	slotSize    = 512
	ownerSize   = 8
	volumeSize  = 4096
)

// volumesPerMiB bounds how much of a small segment the rows of volumes take up: a sixteenth of its
// addresses.
const volumesPerMiB = 16

// tablesFor lays a segment out: each port can have a thread and some channels of its own, within
// reason. The rows of volumes come last: what is before them always has memory, they haven't.
func tablesFor(ports, sizeMiB int) tables {
	t := tables{
		nrPorts:    uint32(ports),
		nrWaiters:  uint32(min(max(ports, 64), 1024)),
		nrChannels: uint32(min(max(2*ports, 256), 4096)),
		nrVolumes:  uint32(min(max(sizeMiB*volumesPerMiB, 64), abi.MaxVolumes)),
	}
	t.ports = headerSize
	t.waiters = pageUp(t.ports + uint64(t.nrPorts)*portSize)
	t.channels = pageUp(t.waiters + uint64(t.nrWaiters)*waiterSize)
	t.owners = pageUp(t.channels + uint64(t.nrChannels)*channelSize)
	t.volumes = pageUp(t.owners + uint64(t.nrVolumes)*ownerSize)
	t.heap = t.volumes + uint64(t.nrVolumes)*volumeSize
	t.size = uint64(sizeMiB) << 20
	return t
}

func pageUp(n uint64) uint64 { return (n + abi.PageSize - 1) &^ (abi.PageSize - 1) }

// checkHeader validates the header of a segment file of size bytes and returns its tables. The
// header is whatever the file says: nothing of it is believed unchecked.
func checkHeader(h *abi.Header, size uint64) (tables, error) {
	if h.Magic != abi.Magic {
		return tables{}, fmt.Errorf("magic is %#x, not %#x: %w", h.Magic, uint64(abi.Magic), ErrVersion)
	}
	if h.AbiVersion != abi.Version {
		return tables{}, fmt.Errorf("ABI version of the segment is %d, ours is %d: %w",
			h.AbiVersion, abi.Version, ErrVersion)
	}
	if h.Features != 0 {
		return tables{}, fmt.Errorf("features of the segment are %#x, ours are 0: %w",
			h.Features, ErrVersion)
	}
	if err := checkSizes(h); err != nil {
		return tables{}, err
	}
	t := tables{
		ports: h.PortsOffset, waiters: h.WaitersOffset, channels: h.ChannelsOffset,
		owners: h.VolumeOwnersOffset, volumes: h.VolumesOffset, heap: h.HeapOffset,
		nrPorts: h.NrPorts, nrWaiters: h.NrWaiters, nrChannels: h.NrChannels, nrVolumes: h.NrVolumes,
		size: h.SegmentSize,
	}
	return t, t.check(size, h.HeapSize)
}

func checkSizes(h *abi.Header) error {
	for _, s := range []struct {
		what      string
		got, want uint32
	}{
		{"header", h.HeaderSize, headerSize},
		{"port", h.PortSize, portSize},
		{"waiter", h.WaiterSize, waiterSize},
		{"channel", h.ChannelSize, channelSize},
		{"channel header", h.ChannelHeaderSize, chanHdrSize},
		{"slot", h.SlotSize, slotSize},
		{"volume", h.VolumeSize, volumeSize},
		{"page shift", h.PageShift, abi.PageShift},
	} {
		if s.got != s.want {
			return fmt.Errorf("size of %s in the segment is %d, ours is %d: %w",
				s.what, s.got, s.want, ErrVersion)
		}
	}
	return nil
}

// check sees to it that the tables lie one after the other inside the file.
func (t *tables) check(size, heapSize uint64) error {
	bad := func(what string) error { return fmt.Errorf("%s: %w", what, ErrCorrupt) }
	switch {
	case t.nrPorts < abi.MinPorts || t.nrPorts > abi.MaxPorts:
		return bad("number of ports")
	case t.nrWaiters == 0 || t.nrWaiters > abi.MaxPorts:
		return bad("number of waiters")
	case t.nrChannels == 0 || t.nrChannels > abi.MaxPorts:
		return bad("number of channels")
	case t.nrVolumes == 0 || t.nrVolumes > abi.MaxVolumes:
		return bad("number of volumes")
	case t.size != size || t.size > maxSizeMiB<<20 || t.size%abi.PageSize != 0:
		return bad("size")
	case (t.ports|t.waiters|t.channels|t.owners|t.volumes|t.heap)%abi.PageSize != 0:
		return bad("alignment of the tables")
	case t.ports < headerSize || t.ports > size,
		t.waiters < t.ports+uint64(t.nrPorts)*portSize || t.waiters > size,
		t.channels < t.waiters+uint64(t.nrWaiters)*waiterSize || t.channels > size,
		t.owners < t.channels+uint64(t.nrChannels)*channelSize || t.owners > size,
		t.volumes < t.owners+uint64(t.nrVolumes)*ownerSize || t.volumes > size,
		t.heap < t.volumes+uint64(t.nrVolumes)*volumeSize || t.heap > size,
		heapSize != size-t.heap:
		return bad("order of the tables")
	}
	return nil
}
