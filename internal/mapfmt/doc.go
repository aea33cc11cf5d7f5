// Package mapfmt is the format of everything that the mapper keeps on the storage, and the rules
// of map entries: names of objects, volume records, chunks, table pages, tombstones, lock contents,
// leases, the header of a store, and the pending log.
//
// Pure: bytes in, values out. It opens no file and asks no blocker. Decoders copy what they keep,
// never panic, whatever the bytes, and allocate in proportion to their input. An encoder refuses
// what a decoder would (ErrArgument, ErrEntry, ErrName).
//
// All numbers are little-endian. Every file begins with a frame (magic, version, length) and its
// framed part ends with a CRC-32C; the frame is the same in all versions, so that damage and a
// newer version can be told apart. docs/map-format.md has the byte tables.
package mapfmt
