package mapperd

import (
	"sync/atomic"
	"unsafe"
)

// storeWord stores one 8-byte word as a whole. Preconditions: mem is page-aligned (mapped), at is a
// multiple of 8 and lies in it.
func storeWord(mem []byte, at int, word uint64) {
	_ = mem[at+7]
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&mem[at])), word)
}
