package volume

import (
	"encoding/binary"
	"fmt"
	"slices"
	"syscall"
	"time"

	"archipelago/xseg"
)

// Phase is a part of the life of a request in vlmcd.
type Phase uint8

// Phases. At a moment when several of a request's pieces are in different ones, the last of them
// in this order counts: what waits for more stands below.
const (
	PhaseQueue   Phase = iota // received, not looked at yet
	PhaseEngine               // vlmcd's own work
	PhaseData                 // data on its way to or from the blocker
	PhaseCopy                 // bytes of objects below are copied
	PhaseMap                  // the map is looked up
	PhaseLock                 // another request changes the same sub-block
	PhaseReserve              // an own object is reserved
	PhaseCommit               // the map entry is committed
	PhaseFlush                // a flush of the volume
	PhaseWait                 // parked: the volume is frozen, opening, or another node has its lock
	NumPhases
)

var phaseNames = [NumPhases]string{"queue", "engine", "data", "copy", "map", "lock", "reserve",
	"commit", "flush", "wait"}

func (p Phase) String() string {
	if p < NumPhases {
		return phaseNames[p]
	}
	return fmt.Sprintf("phase %d", uint8(p))
}

// TraceRecord is one request that has ended.
type TraceRecord struct {
	Number  uint64 // of the request, in the order of the ends
	End     time.Time
	Latency time.Duration // since it was received
	Op      uint32        // xseg.Op…
	Flags   uint32        // xseg.Req…
	Offset  int64
	Length  int64
	Errno   syscall.Errno
	Spent   [NumPhases]time.Duration // sums up to Latency
}

// traceBytes is the size of an encoded record, little-endian:
//
//	 0  8  number             8  8  end, ns since 1970    16  8  latency, ns
//	24  4  operation         28  4  flags                 32  8  offset
//	40  8  length            48  4  errno                 52  4  reserved
//	56 80  ns per phase     136  8  reserved
const traceBytes = 144

// TraceAtOnce is the most records of one answer to TRACE.
const TraceAtOnce = 1024

// TraceRoom is the data buffer that it takes.
const TraceRoom = TraceAtOnce * traceBytes

// AppendTrace encodes a record.
func AppendTrace(b []byte, r *TraceRecord) []byte {
	le := binary.LittleEndian
	at := len(b)
	b = append(b, make([]byte, traceBytes)...)
	p := b[at:]
	le.PutUint64(p, r.Number)
	le.PutUint64(p[8:], uint64(r.End.UnixNano()))
	le.PutUint64(p[16:], uint64(r.Latency))
	le.PutUint32(p[24:], r.Op)
	le.PutUint32(p[28:], r.Flags)
	le.PutUint64(p[32:], uint64(r.Offset))
	le.PutUint64(p[40:], uint64(r.Length))
	le.PutUint32(p[48:], uint32(r.Errno))
	for i, d := range r.Spent {
		le.PutUint64(p[56+8*i:], uint64(d))
	}
	return b
}

// ParseTrace decodes the records of an answer.
func ParseTrace(b []byte) ([]TraceRecord, error) {
	if len(b)%traceBytes != 0 || len(b) > TraceRoom {
		return nil, fmt.Errorf("%w: a trace of %d bytes", ErrReply, len(b))
	}
	le := binary.LittleEndian
	var records []TraceRecord
	for p := range slices.Chunk(b, traceBytes) {
		r := TraceRecord{Number: le.Uint64(p), End: time.Unix(0, int64(le.Uint64(p[8:]))),
			Latency: time.Duration(le.Uint64(p[16:])), Op: le.Uint32(p[24:]), Flags: le.Uint32(p[28:]),
			Offset: int64(le.Uint64(p[32:])), Length: int64(le.Uint64(p[40:])), Errno: syscall.Errno(le.Uint32(p[48:]))}
		for i := range r.Spent {
			r.Spent[i] = time.Duration(le.Uint64(p[56+8*i:]))
		}
		if n := len(records); n > 0 && r.Number <= records[n-1].Number {
			return nil, fmt.Errorf("%w: a trace out of order", ErrReply)
		}
		records = append(records, r)
	}
	return records, nil
}

// TraceNextBytes is the size of the payload of an answer: the number to ask for next.
const TraceNextBytes = 8

// PutTraceNext encodes it.
func PutTraceNext(b []byte, next uint64) { binary.LittleEndian.PutUint64(b, next) }

func parseTraceNext(b []byte) (uint64, error) {
	if len(b) != TraceNextBytes {
		return 0, fmt.Errorf("%w: a payload of %d bytes", ErrReply, len(b))
	}
	return binary.LittleEndian.Uint64(b), nil
}

// opNames are the words for the operations that are traced.
var opNames = map[uint32]string{xseg.OpRead: "read", xseg.OpWrite: "write", xseg.OpFlush: "flush",
	xseg.OpDiscard: "discard", xseg.OpWriteZeroes: "write-zeroes", xseg.OpFlatten: "flatten"}

// OpName is the word for the operation of a record.
func (r *TraceRecord) OpName() string {
	if name, ok := opNames[r.Op]; ok {
		return name
	}
	return fmt.Sprintf("op-%d", r.Op)
}
