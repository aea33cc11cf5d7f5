package channel

import (
	"sync/atomic"
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

// storePlain stores without a barrier. For words whose value is released by a later atomic store
// of another word: an aligned store is never torn, and stores aren't reordered on amd64.
func storePlain(a *atomic.Uint64, v uint64) { *(*uint64)(unsafe.Pointer(a)) = v }
