package filed

import (
	"sync/atomic"
	"unsafe"
)

// store32 and load32 access the first four bytes of b atomically. Precondition: b begins at a
// multiple of four.
func store32(b []byte, v uint32) {
	atomic.StoreUint32((*uint32)(unsafe.Pointer(unsafe.SliceData(b[:4]))), v)
}

func load32(b []byte) uint32 {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(unsafe.SliceData(b[:4]))))
}
