package xseg

import (
	"unsafe"

	"archipelago/xseg/internal/abi"
)

// Every cast of segment memory to a struct of the layout is here or in internal/channel.

func headerOf(mem []byte) *abi.Header {
	_ = mem[headerSize-1]
	return (*abi.Header)(unsafe.Pointer(unsafe.SliceData(mem)))
}

func tableOf[T any](mem []byte, off uint64, n uint32) []T {
	var t T
	_ = mem[off+uint64(n)*uint64(unsafe.Sizeof(t))-1]
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[off])), n)
}

// OffsetOf returns where b lies in the segment; false if it doesn't lie in it whole.
func (s *Segment) OffsetOf(b []byte) (Offset, bool) {
	if len(b) == 0 {
		return 0, false
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(s.mem)))
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if at < start || at-start > uintptr(len(s.mem)) || uintptr(len(b)) > uintptr(len(s.mem))-(at-start) {
		return 0, false
	}
	return Offset(at - start), true
}
