package filed

import "unsafe"

// isAligned tells whether p begins at a multiple of a block in memory, as direct I/O wants it.
func isAligned(p []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(p)))%blockSize == 0
}

// alignedBuffer returns n bytes that are aligned.
func alignedBuffer(n int) []byte {
	b := make([]byte, n+blockSize)
	at := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) % blockSize)
	return b[at : at+n : at+n]
}
