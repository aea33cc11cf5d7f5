// Package abi mirrors include/xseg/abi.h in Go: the layout of a segment, field by field, under
// the names of the header (nr_slots is NrSlots).
//
// The header is authoritative; sizes and offsets of these structs are proven against it at
// compile time by the generated file of this package. Words that two sides touch are atomics.
// Everything is little-endian; a position is an offset in bytes from the start of the segment.
// This package holds no behaviour.
package abi

// Version is the one that this mirror and package xseg were written for. It is typed by hand: a
// header of another one doesn't compile until somebody has looked at what has changed.
const Version = 2

// PageShift is the only page size that there is, as a shift.
const PageShift = 12
