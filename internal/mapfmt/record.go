package mapfmt

import "slices"

// Flags of a volume record. The first four are those of abi.h. Part of the format: do not change.
type Flags uint32

// Flags of a volume record. Those from FlagPending on come with a Mark each.
const (
	FlagReadOnly Flags = 1  // a snapshot
	FlagHashed   Flags = 2  // its objects are named by content
	FlagPending  Flags = 4  // not real yet; whoever opens it finishes the check or undoes it
	FlagMoving   Flags = 8  // is being renamed to the mark's name
	FlagFrom     Flags = 16 // is being renamed from the mark's name
	FlagTrim     Flags = 32 // what lies beyond the mark's offset has yet to go

	markFlags  = FlagPending | FlagMoving | FlagFrom | FlagTrim
	knownFlags = FlagReadOnly | FlagHashed | markFlags
)

// Mark is the argument of a flag; what its flag doesn't use is zero.
type Mark struct {
	Flag   Flags // exactly one of FlagPending, FlagMoving, FlagFrom, FlagTrim
	Name   string
	ID     [16]byte // of the other volume, or of the request, as the operation defines
	Offset int64    // bytes
}

// OriginFlags say what an origin is. Part of the format: do not change.
type OriginFlags uint32

// What an origin is.
const (
	OriginSnapshot OriginFlags = 1 // a snapshot of this store
	OriginHashed   OriginFlags = 2 // a map of content names
	OriginForeign  OriginFlags = 4 // a map of the original system, which BottomForeign refers to

	knownOriginFlags = OriginSnapshot | OriginHashed | OriginForeign
)

// Origin is where a volume came from. Origins are numbered by their position from 0 on; entries
// refer to the numbers, also those in chunks that a clone shares. So a clone starts with the
// origins of its parent in their order, and none is ever taken out.
type Origin struct {
	UUID  UUID
	Epoch uint64
	Flags OriginFlags
	Name  string // when it was cloned; may be another's by now
}

// OpID is the 128-bit id of a control request; zero = none.
type OpID = [16]byte

// KeptOps is how many of the last operation ids a record keeps. Part of the format: do not change.
const KeptOps = 16

// Record is the record of a volume or snapshot, stored as `v/<name>`; it doesn't hold its name.
type Record struct {
	UUID       UUID
	Size       int64 // bytes
	ObjectSize int64 // bytes
	Flags      Flags
	Epoch      uint64
	Created    int64 // seconds since 1970 UTC; for people only
	Modified   int64
	Creator    OpID
	Ops        []OpID // the last ones, oldest first, at most KeptOps
	Marks      []Mark // one for each flag that takes one
	Origins    []Origin
	Table      []Owner // who owns each chunk, or each page of the table: see IsPaged
}

// Owner is the (UUID, epoch) under which a chunk or page is stored; the zero value means none:
// everything in it is zeros.
type Owner struct {
	UUID  UUID
	Epoch uint64
}

// IsNone says that there is no owner.
func (o Owner) IsNone() bool { return o == Owner{} }

// IsPaged says whether Table has a row per page instead of one per chunk.
func (r *Record) IsPaged() bool { return IsPaged(r.Size, r.ObjectSize) }

// ChunkCount returns the number of chunks of the volume.
func (r *Record) ChunkCount() int64 { return ChunkCount(r.Size, r.ObjectSize) }

// HasOp says whether id created the record or is one of the last that changed it.
func (r *Record) HasOp(id OpID) bool {
	return id != OpID{} && (id == r.Creator || slices.Contains(r.Ops, id))
}

// NoteOp remembers id as the last operation. The zero id and a known one change nothing.
func (r *Record) NoteOp(id OpID) {
	if id == (OpID{}) || r.HasOp(id) {
		return
	}
	if drop := len(r.Ops) + 1 - KeptOps; drop > 0 {
		r.Ops = slices.Delete(r.Ops, 0, drop)
	}
	r.Ops = append(r.Ops, id)
}

// Mark returns the argument of a flag, if the flag is set.
func (r *Record) Mark(f Flags) (Mark, bool) {
	i := slices.IndexFunc(r.Marks, func(m Mark) bool { return m.Flag == f })
	if i < 0 {
		return Mark{}, false
	}
	return r.Marks[i], true
}

// SetMark sets m.Flag with its argument.
func (r *Record) SetMark(m Mark) {
	r.ClearMark(m.Flag)
	r.Flags |= m.Flag
	r.Marks = append(r.Marks, m)
}

// ClearMark takes a flag and its argument away.
func (r *Record) ClearMark(f Flags) {
	r.Flags &^= f
	r.Marks = slices.DeleteFunc(r.Marks, func(m Mark) bool { return m.Flag == f })
}

// AddOrigin appends an origin and returns its number.
func (r *Record) AddOrigin(o Origin) uint32 {
	r.Origins = append(r.Origins, o)
	return uint32(len(r.Origins) - 1)
}

// Origin returns the snapshot or map that the volume was made from last, if it was.
func (r *Record) Origin() (Origin, bool) {
	if len(r.Origins) == 0 {
		return Origin{}, false
	}
	return r.Origins[len(r.Origins)-1], true
}

// Clone returns a copy that shares nothing with r.
func (r *Record) Clone() *Record {
	c := *r
	c.Ops = slices.Clone(r.Ops)
	c.Marks = slices.Clone(r.Marks)
	c.Origins = slices.Clone(r.Origins)
	c.Table = slices.Clone(r.Table)
	return &c
}
