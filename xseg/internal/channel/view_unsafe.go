package channel

import (
	"unsafe"

	"archipelago/xseg/internal/abi"
)

// Open returns the view of the extent that starts at position base of the segment.
// Preconditions: Valid(nrSlots), len(extent) >= Size(nrSlots), extent page-aligned.
func Open(extent []byte, base uint64, nrSlots uint32) View {
	_ = extent[Size(nrSlots)-1]
	start := unsafe.Pointer(unsafe.SliceData(extent))
	ring := (*abi.RingEntry)(unsafe.Add(start, headerSize))
	slots := (*abi.Slot)(unsafe.Add(start, slotsOffset(nrSlots)))
	return View{
		hdr:   (*abi.ChannelHeader)(start),
		ring:  unsafe.Slice(ring, nrSlots),
		slots: unsafe.Slice(slots, nrSlots),
		mask:  nrSlots - 1,
		base:  base,
	}
}
