package nbd

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var be = binary.BigEndian

// ErrMagic says that what came isn't what the protocol has at this place: the stream can't be
// followed any further.
var ErrMagic = errors.New("wrong magic number")

// Request is a request of the transmission phase.
//
//	0 magic u32   4 flags u16   6 command u16   8 cookie u64   16 offset u64   24 length u32
type Request struct {
	Flags   uint16
	Command Command
	Cookie  uint64
	Offset  uint64
	Length  uint32
}

// DecodeRequest reads a request. Precondition: len(b) >= RequestSize.
func DecodeRequest(b []byte) (Request, error) {
	if m := be.Uint32(b); m != MagicRequest {
		return Request{}, fmt.Errorf("request: %w: %#x", ErrMagic, m)
	}
	return Request{
		Flags:   be.Uint16(b[4:]),
		Command: Command(be.Uint16(b[6:])),
		Cookie:  be.Uint64(b[8:]),
		Offset:  be.Uint64(b[16:]),
		Length:  be.Uint32(b[24:]),
	}, nil
}

// Append appends the encoded request to b.
func (r Request) Append(b []byte) []byte {
	b = be.AppendUint32(b, MagicRequest)
	b = be.AppendUint16(b, r.Flags)
	b = be.AppendUint16(b, uint16(r.Command))
	b = be.AppendUint64(b, r.Cookie)
	b = be.AppendUint64(b, r.Offset)
	return be.AppendUint32(b, r.Length)
}

// AppendSimple appends a simple reply without its data.
//
//	0 magic u32   4 error u32   8 cookie u64
func AppendSimple(b []byte, cookie uint64, errno Errno) []byte {
	b = be.AppendUint32(b, MagicSimple)
	b = be.AppendUint32(b, uint32(errno))
	return be.AppendUint64(b, cookie)
}

// AppendChunk appends the head of a chunk whose payload is length bytes.
//
//	0 magic u32   4 flags u16   6 type u16   8 cookie u64   16 length u32
func AppendChunk(b []byte, cookie uint64, flags uint16, typ Chunk, length uint32) []byte {
	b = be.AppendUint32(b, MagicStructured)
	b = be.AppendUint16(b, flags)
	b = be.AppendUint16(b, uint16(typ))
	b = be.AppendUint64(b, cookie)
	return be.AppendUint32(b, length)
}

// AppendDataChunk appends the head of a chunk of n bytes of data at offset.
func AppendDataChunk(b []byte, cookie uint64, flags uint16, offset uint64, n int) []byte {
	b = AppendChunk(b, cookie, flags, ChunkData, uint32(8+n))
	return be.AppendUint64(b, offset)
}

// AppendErrorChunk appends a last chunk that tells of an error, without a message.
func AppendErrorChunk(b []byte, cookie uint64, errno Errno) []byte {
	b = AppendChunk(b, cookie, ReplyFlagDone, ChunkError, 6)
	b = be.AppendUint32(b, uint32(errno))
	return be.AppendUint16(b, 0)
}

// AppendStatusChunk appends the head of a chunk that gives n extents of a metadata context.
//
//	… 20 context u32   24 extents, each length u32 and state u32
func AppendStatusChunk(b []byte, cookie uint64, flags uint16, context uint32, n int) []byte {
	b = AppendChunk(b, cookie, flags, ChunkStatus, uint32(4+ExtentSize*n))
	return be.AppendUint32(b, context)
}

// AppendExtent appends an extent of a metadata context.
func AppendExtent(b []byte, length, state uint32) []byte {
	return be.AppendUint32(be.AppendUint32(b, length), state)
}

// ReplyHead is the head of a reply of either kind.
type ReplyHead struct {
	Structured bool
	Cookie     uint64
	Errno      Errno  // simple
	Flags      uint16 // structured
	Type       Chunk  // structured
	Length     uint32 // structured: of the payload
}

// HeadSize returns the size of the head that starts with b. Precondition: len(b) >= 4.
func HeadSize(b []byte) (int, error) {
	switch m := be.Uint32(b); m {
	case MagicSimple:
		return SimpleSize, nil
	case MagicStructured:
		return StructuredSize, nil
	default:
		return 0, fmt.Errorf("reply: %w: %#x", ErrMagic, m)
	}
}

// DecodeHead reads the head of a reply. Precondition: len(b) is what HeadSize said.
func DecodeHead(b []byte) ReplyHead {
	if be.Uint32(b) == MagicSimple {
		return ReplyHead{Errno: Errno(be.Uint32(b[4:])), Cookie: be.Uint64(b[8:])}
	}
	return ReplyHead{
		Structured: true,
		Flags:      be.Uint16(b[4:]),
		Type:       Chunk(be.Uint16(b[6:])),
		Cookie:     be.Uint64(b[8:]),
		Length:     be.Uint32(b[16:]),
	}
}
