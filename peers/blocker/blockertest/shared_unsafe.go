package blockertest

import "unsafe"

// shared is a string in memory that the test changes later, as a transport's buffers are.
func shared(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
