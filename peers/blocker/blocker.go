// Package blocker is the contract of a blocker: what the mapper and the composer may ask of the
// storage below them, and what every store MUST promise. Stores live in packages of their own
// (memstore, filed, …); blockertest is the conformance suite that all of them pass.
//
// A store keeps named objects. It does not know what an object means. The interface is
// asynchronous: an Op is submitted, and its Done runs when it has ended.
//
// # Order and atomicity
//
//   - What is submitted after the Done of another operation on the same object MUST take effect
//     after it. Operations on different objects may end in any order.
//   - The unit is the block: 4 KiB at a multiple of 4 KiB. Of concurrent changes that overlap, each
//     block MUST be left as if they had come one after the other, in an order of its own.
//   - Concurrent changes of disjoint bytes MUST NOT touch each other, also within one block, and
//     also where one of them makes the object longer.
//   - A change that fails, or that a kill interrupts, may have been made in part, but MUST NOT have
//     touched a byte outside its range, but for making the object longer: up to the end of the
//     block where the range ends, with zeros. Create and Replace happen whole or not at all.
//
// # What is durable
//
//   - An acknowledged change MUST survive the death of every process. A power cut may take it,
//     unless it was made with FlagFUA, on a write-through store, or a Sync that covers it has
//     succeeded; then the cut MUST leave it.
//   - A Sync covers what had ended when it was submitted, whoever syncs it meanwhile: it MUST NOT
//     succeed while another sync of the same data is still under way. What ends later it may cover.
//   - What was acknowledged by a store that was killed MUST be covered by the Syncs of the one that
//     is opened after it.
//   - A power cut may tear what isn't durable: each 512 bytes of a block (a sector) are then as of
//     any moment since the block was last durable, whatever the others are, and so is the size.
//     Bytes that were appended and not synced may be cut short, or be zeros, from any one on.
//     Durable bytes that no later change was to overwrite MUST be left alone.
//   - After a failed sync the object MUST be bad: each Sync that covers it fails until it was
//     rewritten whole by one operation, replaced or deleted. A store that is killed MUST remember
//     its bad objects where it can (a store says where it can't).
//
// # Disk full
//
//   - What finds no space MUST fail as ErrNoSpace (errno ENOSPC), at once and not at the next Sync,
//     MUST harm nothing that was written before, and may be submitted again.
//   - Read, Sync, Stat, List, LockRead, Delete, TruncateTail and writing over what is there MUST
//     work on a full store (a file system that copies on write may refuse the last).
//   - For Replace of up to MaxAtomic bytes, also by a new name (a tombstone), and for LockAdvance a
//     store keeps a small reserve, so that what is there can be flushed when nothing else fits. For
//     those with FlagReserve it keeps another one, which nothing else uses up: however often the
//     first was taken, a volume can be removed.
package blocker

// UUID is the volume on whose behalf an operation runs; dirty tracking and Sync go by it.
type UUID = [16]byte

// Kind is the operation.
type Kind uint8

// Operations on objects. Offsets and lengths are in bytes; an empty range changes no size.
const (
	// Read fills Data from Offset. Past the end of the object: zeros. N = len(Data).
	// Missing object: ErrNotFound.
	Read Kind = iota + 1
	// Write stores Data at Offset, creating the object (and its directories) if need be, growing
	// it as needed. When Done runs the bytes survive the death of every process, and with
	// FlagFUA (or on a write-through store) a power cut too. N = len(Data).
	Write
	// WriteZeroes makes [Offset, Offset+Length) read as zeros, giving space back where it can: that
	// of each block that lies in the range. Creates and grows the object like Write.
	WriteZeroes
	// Discard gives the space of [Offset, Offset+Length) back; it reads as zeros afterwards. Never
	// changes the size. Missing object: success, nothing is created.
	Discard
	// Copy copies Length bytes from Source at SourceOffset to Name at Offset, creating Name like
	// Write. The part of the source past its end is copied as zeros. Missing source: ErrNotFound.
	// The source MUST NOT change under it (callers copy from immutable objects only).
	Copy
	// Fill is Write, and brings along what lies around it: of [SourceOffset, SourceOffset+Length),
	// which MUST hold the range of Data, it copies all but that from Source, from and to the same
	// offsets, as Copy does. Missing source: ErrNotFound, and nothing is written. N = len(Data).
	Fill
	// Sync makes durable every Write, WriteZeroes, Discard, Copy, Fill and Append of Volume that had
	// ended when Sync was submitted (Name empty), or those of the object Name alone (Name set),
	// together with the directories that lead to it. After a failed sync the object is bad: every
	// Sync that covers it MUST fail until it was rewritten whole or deleted.
	Sync
	// Stat returns the size of the object in N and the bytes allocated in Allocated. Missing
	// object: ErrNotFound.
	Stat
	// Create makes the object with content Data, exclusively and atomically: it appears with its
	// whole content, or not at all; ErrExists if the name is there. Durable when Done runs, and so
	// is what ErrExists tells of: it may be the doing of a store that was killed before it
	// answered.
	Create
	// Replace makes the object's content be Data atomically, creating it if need be. A reader
	// sees the old content or the new one. Durable when Done runs. A store keeps a reserve for it
	// where it can (see Disk full), so that it works on a full disk at least once more.
	Replace
	// Append adds Data at Offset, which MUST be the present size: otherwise ErrConflict and N is
	// the present size. Missing object: ErrNotFound. Not durable until Sync. A power cut may leave
	// any part of it torn.
	Append
	// TruncateTail cuts the object to Offset bytes (never grows it), durably: for torn tails.
	// Missing object: ErrNotFound.
	TruncateTail
	// Delete removes the object. Missing: ErrNotFound. Durable when Done runs iff FlagFUA; that the
	// name is missing is durable then, too.
	Delete
	// List fills Data with the names that start with Name and sort after After, in byte order,
	// each as little-endian uint16 length and the bytes; N = bytes filled. Ends when no further
	// name fits (More = true) or none is left (More = false). A name created or deleted meanwhile
	// may or may not be seen; any other MUST be seen exactly once over the pages. The pages of one
	// listing together may read each name of the prefix once: a page that begins where another one
	// with the same prefix has ended belongs to its listing, and a store may have kept for it, for
	// a minute, what it had read.
	List
	// LockRead returns the highest generation of the lock chain Name in Generation and its
	// content in Data[:N]; generation 0 = never locked. ErrArgument if Data is too short for it.
	// Lock chains are no objects: no other operation sees them.
	LockRead
	// LockAdvance makes generation Generation+1 of chain Name with content Data, durably, iff
	// Generation is the highest. Lost: ErrConflict, with the highest in Generation. A winner that
	// lost the answer and asks again gets ErrConflict and finds its own content with LockRead,
	// which is durable then.
	LockAdvance
)

// Flags modify an Op.
type Flags uint32

// Flags of an Op.
const (
	// FlagFUA: durable when Done runs.
	FlagFUA Flags = 1 << iota
	// FlagReserve lets a Replace take the space that is kept for what makes room: a tombstone.
	FlagReserve
)

// Op is one operation. The submitter owns it before Submit and after Done has begun; in between
// it belongs to the store. Name, Source, After and Data must not change in between, and a store
// MUST NOT touch them or keep a reference to them once Done has begun: the strings, too, may lie in
// memory that is used again (a store that keeps a name clones it).
type Op struct {
	Kind         Kind
	Flags        Flags
	Volume       UUID
	Name         string
	Offset       int64
	Length       int64
	Data         []byte
	Source       string // Copy, Fill
	SourceOffset int64  // Copy, Fill
	After        string // List
	Term         uint64 // the lease term that the request rests on

	// Results, valid once Done has begun.
	N          int64
	Allocated  int64
	Generation uint64 // also an argument of LockAdvance
	More       bool
	Err        error

	// Done is called exactly once, from any goroutine, possibly before Submit returns, and MUST
	// NOT block. It may submit further operations.
	Done func(*Op)
	// User belongs to the submitter.
	User any
}

// Store is a blocker.
//
// Submit never blocks on the storage for long; it may run what is quick before it returns. Order:
// see the package comment; Append, Replace, TruncateTail and Delete of one name are serialised.
// Safe for use by many goroutines.
type Store interface {
	Submit(op *Op)
	// Close ends the store after the operations that run have ended. It does not sync.
	Close() error
}

// NameMax is the longest name of an object, in bytes. Names are made of [A-Za-z0-9._:@+/-]; a
// component between slashes is not empty and doesn't start with a dot. Nobody gives an object a
// name that is a directory of another's (a and a/b): a store may refuse the second one as ErrName.
const NameMax = 176

// Do submits op and waits for its end. It returns op.Err. It overwrites op.Done.
func Do(s Store, op *Op) error {
	done := make(chan struct{})
	op.Done = func(*Op) { close(done) }
	s.Submit(op)
	<-done
	return op.Err
}
