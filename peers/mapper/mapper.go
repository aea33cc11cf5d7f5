// Package mapper is the contract of a mapper: what the composer and the tools may ask of the peer
// that keeps the maps. The implementation is peers/mapperd; peers/mapper/remote carries the
// contract over a channel. Asynchronous like peers/blocker: an Op is submitted, Done runs when it
// has ended.
package mapper

import "archipelago/internal/mapfmt"

// UUID names a volume.
type UUID = mapfmt.UUID

// Kind is the operation.
type Kind uint8

// Operations.
const (
	// Open makes the volume Name ready for I/O on this node and returns Info. With Volume set, that
	// one is meant, whatever it is called by now; ErrNotFound or ErrStale if it has gone. Idempotent. A snapshot opens read-only. It never
	// fails because of the lock. Where several nodes share the store, an Open with Volume, which
	// comes with the first I/O, takes a free lock. Flags of Info with FlagUncached: another node
	// may change the volume, so no answer of MapRead may be used again.
	Open Kind = iota + 1
	// Close flushes, releases the lock and forgets the volume. Of what isn't open: success.
	Close
	// MapRead fills Entries with the entries of the objects from Index on. Entries beyond the end
	// of the volume are zero entries.
	MapRead
	// MapWrite returns in Entry the entry of object Index with level 0 an object that the volume
	// may write in place: the present one, or a newly reserved one (mask 0, or, where it replaces
	// nothing, mask 0 with no level and BottomZero below). Logs nothing. A fourth level means: the
	// COMMIT must merge one (see Commit). Read-only volume: ErrReadOnly.
	MapWrite
	// Commit makes the sub-blocks in Entry.Levels[0].Mask count as present; the data MUST have
	// been written before. Bits are ORed under the same (uuid, epoch, birth), so it may be
	// repeated, also to a restarted mapper that has forgotten the reservation; another birth,
	// epoch or term gets ErrStale (start again at MapWrite). The levels below MUST be those of the
	// present entry, or lack levels whose visible sub-blocks are all in the new mask. It survives
	// the death of every process when Done runs. Entry returns the stored entry.
	//
	// With Replace the object may be discarded whole as well: Entry is then the answer of MapWrite
	// with nothing but its level 0, Mask 0 and BottomZero; the map forgets everything that the
	// object had, its levels below and its bottom, and Entry returns zero. The caller holds all
	// sub-blocks of the object and waits for its writes in place; of an object that isn't in the
	// map any more it forgets the name. The object is deleted once that is durable, by the mapper.
	Commit
	// Flush makes everything of Volume that was acknowledged before durable.
	Flush
	// Snapshot makes snapshot Other of volume Name. The caller has frozen and drained the volume,
	// and drops all translations before it goes on. Info is the snapshot's. With Group set the
	// snapshot is a member of a group of Members: it stays PENDING until SnapshotGroup.
	Snapshot
	// Clone makes volume Name from snapshot Other (Size 0: its size), or a blank volume of Size
	// and ObjectSize (0 = default) if Other is empty. Info is the new volume's.
	Clone
	// Info returns Info of Name.
	InfoOf
	// List fills Data with names after Other, encoded as by blocker.List; N and More likewise.
	List
	// Delete removes the volume or snapshot Name; with Volume set only if it is still that one.
	// The caller has frozen and drained it.
	Delete
	// Rename gives the volume or snapshot Name the name Other; with Volume set only if Name is
	// still that one. The caller has frozen and drained it; translations stay true. Info is that
	// under the new name. Other is another volume: ErrExists.
	Rename
	// Rollback gives volume Name the content and the size of snapshot Other, which must have
	// objects of the same size. The caller has frozen and drained the volume, and drops all
	// translations before it goes on. Info is the volume's.
	Rollback
	// Resize gives volume Name Size bytes; what is beyond the end is gone and reads as zeros if
	// it ever grows again. The caller has frozen and drained the volume, and drops all
	// translations before it goes on. Info is the volume's.
	Resize
	// SnapshotGroup makes all the snapshots that Data names (as by blocker.PutName, Members of
	// them) real at once: before, none of the group can be used, afterwards all. They were made by
	// Snapshot with the same Group, of volumes that were all frozen at one point in time; those may
	// be thawed before. Fails for good with ErrStale if the group was given up meanwhile, or if a
	// name isn't a member of it; then no member is real and those that are named are removed. With
	// Members 0 the group is given up: that succeeds unless it is real already (ErrExists).
	SnapshotGroup
	// UsageOf counts what the map of Name refers to, into Usage. It reads the whole map.
	UsageOf
	// Diff fills Ranges, in order and not touching one another, with those in which volume or
	// snapshot Name may differ from Other, beginning with object Index. They have objects of the
	// same size; where Other is shorter it counts as zeros. What both share isn't reported; what
	// was copied (copy-up, flatten) may be, though it is equal. N is the number of ranges; with
	// More set the caller goes on at Index, also if N is 0. Of a volume that is open the map as
	// committed counts.
	Diff
	// Acquire takes the lock of volume Name for this node and opens it. Idempotent. Never waits:
	// ErrBusy, naming the owner, if another node holds it. With Volume set, the name must still
	// belong to it, else ErrStale. The caller has frozen and drained the volume. Info.
	Acquire
	// Release flushes volume Name and gives its lock back; what isn't locked is released. The lock
	// of another node: ErrBusy, unless Force is set: then it is broken, and that node isn't told,
	// nor kept from writing. The caller has frozen and drained the volume, and drops all
	// translations.
	Release
)

// Usage is what the map of a volume refers to. A sub-block that an object below holds too counts
// there as well: it takes room. Parts of objects that were never written are holes, so what the
// storage really gave is less.
type Usage struct {
	Allocated int64 // bytes: Exclusive + Shared
	Exclusive int64 // bytes in objects of the volume's own that it may write in place: nobody else refers to them
	Shared    int64 // bytes in all others, which snapshots, clones or origins may refer to
	Objects   int64 // entries that refer to something
}

// RangeKind says what is in a range. The values are those of abi.h.
type RangeKind uint32

// What is in a range.
const (
	RangeData RangeKind = 0
	RangeZero RangeKind = 1 // reads as zeros
)

// Range is a range of a volume, in bytes.
type Range struct {
	Offset int64
	Length int64
	Kind   RangeKind
}

// Flags of Info that aren't stored; the values are those of abi.h.
const (
	FlagOpen     = 256 // this node holds the lock
	FlagUncached = 512 // another node may change the volume: nothing may be remembered of it
)

// Info describes a volume.
type Info struct {
	UUID       UUID
	Name       string
	Size       int64  // bytes
	ObjectSize int64  // bytes
	Flags      uint32 // abi.h: enum xseg_volume_flags
	Epoch      uint64
	Term       uint64
	Generation uint64
	Chunks     int
	Created    int64 // seconds since 1970 UTC
	Modified   int64
	Origin     UUID
	Owner      string // node that holds the lock; "" = nobody
	Port       uint32 // of the vlmcd thread that serves it; 0 = not said
}

// Op is one operation. The submitter owns it before Submit and after Done has begun.
type Op struct {
	Kind       Kind
	Volume     UUID
	Name       string
	Other      string
	Size       int64
	ObjectSize int64
	Index      int64
	Term       uint64
	RequestID  [16]byte
	Entry      mapfmt.Entry
	Entries    []mapfmt.Entry
	Data       []byte   // List, SnapshotGroup
	Replace    bool     // Commit
	Force      bool     // Release
	Group      [16]byte // Snapshot, SnapshotGroup: random, made by whoever froze the members
	Members    int      // Snapshot, SnapshotGroup: how many the group has
	Ranges     []Range  // Diff: room for the result, at least 1

	// Results.
	Info  Info
	Usage Usage
	N     int64
	More  bool
	Err   error

	// Done is called exactly once, from any goroutine, possibly before Submit returns, and MUST
	// NOT block. It may submit further operations.
	Done func(*Op)
	// User belongs to the submitter.
	User any
}

// Mapper is a mapper. Submit doesn't block. Safe for use by many goroutines. What can't be
// answered now (Open, MapRead, MapWrite only) ends with ErrAgain: nothing is ever held back.
//
// Operations that change names, records or epochs carry a RequestID, made by whoever wanted them
// first and the same in each repetition: a repeated one succeeds without doing anything again, as
// long as it is one of the last 16 of its volume. Without one "exists" and "not found" are errors.
//
// MapRead, MapWrite, Commit and Flush name an open volume by Volume. A mapper that was restarted
// has none open: it opens the volume by Name, which callers therefore set as well; if the volume has
// another name by now, it is looked for, and ErrNotFound or ErrStale means that it has gone. Without a name a volume that isn't open gets ErrStale.
type Mapper interface {
	Submit(op *Op)
}

// Do submits op and waits for its end. It returns op.Err. It overwrites op.Done.
func Do(m Mapper, op *Op) error {
	done := make(chan struct{})
	op.Done = func(*Op) { close(done) }
	m.Submit(op)
	<-done
	return op.Err
}
