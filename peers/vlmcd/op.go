package vlmcd

import (
	"archipelago/internal/mapfmt"
	volumes "archipelago/internal/volume"
	"archipelago/peers/mapper"
)

// UUID names a volume.
type UUID = mapfmt.UUID

// Kind is what an Op does.
type Kind uint8

// Operations. Offsets and lengths are in bytes, of any alignment.
const (
	// Read fills Data from Offset. What was never written is zeros.
	Read Kind = iota + 1
	// Write stores Data at Offset. When Done runs it survives the death of every process, and with
	// FlagFUA a power cut too.
	Write
	// WriteZeroes makes [Offset, Offset+Length) read as zeros.
	WriteZeroes
	// Discard gives [Offset, Offset+Length) back. Afterwards it reads as zeros, but for parts of
	// sub-blocks that the volume shares with others: those keep their bytes.
	Discard
	// Flush makes durable whatever was acknowledged before it was submitted.
	Flush
	// Open makes the volume Name ready; Info is filled. First I/O does the same by itself.
	Open
	// Close flushes, forgets the volume, and lets the mapper give its lock up.
	Close
	// Snapshot makes snapshot Other of volume Name at one point in time; Info is the snapshot's.
	// With Token it is a member of Group: the volume must still be under the freeze of that token,
	// else ErrStale.
	Snapshot
	// Delete removes the volume or snapshot Name; with Volume set only if it is still that one.
	Delete
	// Info fills Info for Name.
	Info
	// Rename gives the volume or snapshot Name the name Other. Requests that come under the old
	// name go on, as far as this engine lives.
	Rename
	// Rollback makes volume Name as snapshot Other is; Info is the volume's.
	Rollback
	// Resize gives volume Name Size bytes; Info. Requests that wait and lie beyond the new end end
	// with ErrNoSpace (writes) or ErrArgument.
	Resize
	// Freeze stops volume Name for a snapshot of several volumes: when Done runs, all that was
	// acknowledged is in the map, nothing is under way, and Token names the freeze. It ends with
	// the Snapshot of that token, or Thaw, or by itself after a while.
	Freeze
	// Thaw ends the freeze of Token. Of one that has ended: success.
	Thaw
	// Flatten copies what [Offset, Offset+Length) shares with other volumes, so that each object
	// of the volume is one of its own. Copied is what that took. It may be begun again at any time.
	Flatten
	// Acquire takes the lock of volume Name for this node and opens it; Info. Never waits: ErrBusy,
	// naming the owner, if another node holds it.
	Acquire
	// Release flushes volume Name and gives its lock up; with Force it breaks that of another node.
	Release
)

// Flags modify an Op.
type Flags uint32

// Flags of an Op.
const (
	// FlagFUA makes Write, WriteZeroes and Discard durable when Done runs.
	FlagFUA Flags = 1 << iota
	// FlagFlush makes durable what was acknowledged before, then does the operation.
	FlagFlush
	// FlagNoWait ends with mapper.ErrAgain what would have to wait for another node.
	FlagNoWait
)

// Op is one operation on a volume. The submitter owns it before Submit and after Done has begun;
// in between Name and Data belong to the engine and must not change.
//
// Errors are those of package mapper, wrapped with volume, object and cause; mapper.Errno turns
// them into numbers. ErrStale with Info.Port set: another thread serves the volume. A write past
// the end: ErrNoSpace; any other range that isn't in the volume: ErrArgument. ErrReadOnly: it is a
// snapshot. ErrAgain: more requests wait for this volume than may, or FlagNoWait.
type Op struct {
	Kind      Kind
	Flags     Flags
	Volume    UUID     // required for I/O and Flush; optional for the others
	Name      []byte   // of the volume: it may have to be opened again at any time
	Other     string   // Snapshot, Rename: the new name; Rollback: the snapshot
	Size      int64    // Resize
	Force     bool     // Release
	Group     [16]byte // Snapshot with Token
	Members   int      // of Group
	Token     uint64   // Snapshot, Thaw; the result of Freeze
	Offset    int64
	Length    int64  // WriteZeroes, Discard, Flatten; Read and Write go by Data
	Data      []byte // Read, Write
	RequestID [16]byte
	Received  int64 // xseg.Request.Received; 0: its latency isn't counted

	// Results, valid once Done has begun.
	Info   mapper.Info
	Copied int64 // Flatten: bytes
	Err    error

	// Done is called exactly once, on the engine's thread. It may submit other operations.
	Done func(*Op)
	// User belongs to the submitter.
	User any

	opState
}

// opState is the engine's part of an Op.
type opState struct {
	next      *Op // in the one list that it is in
	vol       *volume
	cursor    int64 // the first byte that has no piece yet
	end       int64
	live      int  // pieces not yet ended
	tries     int  // times that a flush was begun again
	started   bool // its range was checked
	parked    bool // in volume.parkedOps
	advancing bool // pieces are being made of it right now
	flushed   bool // what FlagFlush or a snapshot asks for was done
	closing   bool // all pieces are done, only a flush is missing
	needFlush bool // FUA, and the map entry may not be durable yet
	// incomplete: of a Flatten only what is own in part, whomever it shares the rest with
	incomplete bool
	reopen     bool // the mapper doesn't know the volume: open before the next flush

	waits, phase volumes.Phase // what it is at; of its own in trace
	trace        *span         // nil: not traced
}

// modifies says whether the operation changes bytes.
func (op *Op) modifies() bool {
	return op.Kind == Write || op.Kind == WriteZeroes || op.Kind == Discard || op.Kind == Flatten
}

// opList is a queue of operations; an Op is in one at most.
type opList struct{ head, tail *Op }

func (l *opList) push(op *Op) {
	op.next = nil
	if l.tail == nil {
		l.head = op
	} else {
		l.tail.next = op
	}
	l.tail = op
}

func (l *opList) pop() *Op {
	op := l.head
	if op != nil {
		if l.head = op.next; l.head == nil {
			l.tail = nil
		}
		op.next = nil
	}
	return op
}

func (l *opList) empty() bool { return l.head == nil }

// take empties the list and returns what was in it.
func (l *opList) take() opList {
	all := *l
	*l = opList{}
	return all
}
