package remote

import "unsafe"

// text is string(b) without a copy. b must not change while the string is used: here it is memory
// of the request, which stays as it is until the request is answered, and the contract of a store
// lets no string outlive that.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// same tells whether two slices begin at the same byte.
func same(a, b []byte) bool { return unsafe.SliceData(a) == unsafe.SliceData(b) }
