package xseg

// PortNo is the number of a port.
type PortNo uint32

// Offset is a position in a segment: bytes from its start, never a pointer.
type Offset uint64

// UUID names a volume. The zero value means "none".
type UUID = [16]byte

// RequestID is the 128-bit id of a control request, made by its first submitter and passed down.
type RequestID = [16]byte
