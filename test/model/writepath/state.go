package writepath

// level is one level of an entry: an object (its slot in state.obj) and the sub-blocks it holds.
type level struct{ obj, mask uint8 }

// entry says where the sub-blocks of an object are; below the levels are zeros. States hold
// entries by number (see intern); number 0 is the empty entry.
type entry struct {
	n  uint8
	lv [maxLevels + 1]level
}

type eid = uint8

// object is a data object at the blocker.
type object struct {
	exists  bool
	dirty   bool  // the blocker knows that it must be synced
	durable bool  // its name survives a power cut
	epoch   uint8 // of the volume when it was born; 0 = an origin's
	cur     [units]uint8
	poss    [units]uint8 // what a power cut may leave
	failed  uint8        // units that a failed sync may have lost and nobody has written since
}

type logRec struct{ idx, e uint8 }

type chunkRec struct {
	bad    bool
	idx, e uint8
}

// chunkFile is a chunk of one epoch: the base is durable whenever the file is there.
type chunkFile struct {
	exists  bool
	base    [maxIdx]eid
	n       uint8 // records in the page cache
	durable uint8 // records that survive a power cut
	rec     [maxRecs]chunkRec
}

// phase of the mapper's one flush.
type phase uint8

const (
	flushIdle phase = iota
	flushSync
	flushChunk
	flushChunkSync
	flushRecord
	flushTrim
)

// phase of the mapper's snapshot.
const (
	snapIdle uint8 = iota
	snapFlush
	snapEpoch
	snapRecord
)

// mapperd is the memory of the mapper; a kill loses it. What lies in /dev/shm and on the storage
// is in state.
type mapperd struct {
	mem     [maxIdx]eid
	reserv  [maxIdx]uint8 // object slot, 0 = none
	flush   phase
	cutSet  uint8 // indexes in the cut
	cutLen  uint8 // log records in the cut
	cutOps  uint8 // ops that wait for this cut
	cut     [maxIdx]eid
	known   uint8 // records of the chunk that are known good
	tailCut bool  // what lay behind them was cut off
	snap    uint8
	snapOp  uint8 // op+1 that the snapshot is for
	compact uint8 // planted compaction beside the flush: 0 idle, 1 has read
	stale   [maxIdx]eid
	trash   uint8 // objects to delete once the present entries are durable
	trashed uint8 // those of the cut
	free    uint8 // those that may go
}

// vlmcd is the memory of the composer; a kill loses it.
type vlmcd struct {
	down   bool
	has    [maxIdx]bool
	trans  [maxIdx]eid
	own    [maxIdx]bool // level 0 may be written in place
	lock   [maxIdx][subs]uint8
	frozen uint8 // op+1 of the snapshot

	// merging has op+1 of the op that merges a fourth level (ComposerReserves).
	merging [maxIdx]uint8
}

// pc is where an op is.
type pc uint8

const (
	opIdle   pc = iota // not submitted
	opQueued           // at the composer, nothing begun
	opMapR             // MAPR passed on
	opMapRAns
	opMapW
	opMapWAns
	opUpgrade // planted: waits for the locks of the other sub-blocks while it holds its own
	opMerge   // copies of the middle level's sub-blocks
	opCopy
	opData // write to an object that isn't committed
	opCommit
	opCommitAns
	opInPlace
	opFlush // FLUSH passed on
	opDrain
	opSnap // SNAPSHOT passed on
	opSnapAns
	opDone
	opLost // its client died, or the power went
)

type opState struct {
	pc       pc
	e        eid  // entry the op works with, or the reply
	own      bool // the reply's level 0 is the volume's own
	stale    bool // reply was ESTALE
	ordered  bool // planted: COMMIT was sent before the data
	decided  bool // planted: absence was noted before the lock was had
	outdated [units]uint8
	keep     [maxIdx][units]uint8
}

// ghost is a write or a COMMIT of a dead composer that may still land (planted).
type ghost struct {
	there                  bool
	commit                 bool
	obj, sub, units, value uint8
	idx                    uint8
	e                      eid
}

type snapRec struct {
	exists bool
	chunk  uint8
	val    [maxIdx][units]uint8
}

// state is the whole system.
type state struct {
	obj   [maxObj]object
	file  [maxEpoch + 1]chunkFile // by epoch; 0 is the origin's
	epoch uint8                   // of the volume's record
	chunk uint8                   // epoch of the chunk that the record names
	snap  snapRec

	log      [maxLog]logRec
	nlog     uint8
	logEpoch uint8

	md    mapperd
	vl    vlmcd
	op    [maxOps]opState
	ghost ghost

	allowed [maxIdx][units]uint8 // what a read may see now
	safe    [maxIdx][units]uint8 // what a power cut may leave

	kills, cuts, selfFlushes, compactions, syncFailures uint8

	bad wrong
}

// wrong is a violation noticed during a step.
type wrong uint8

const (
	fine wrong = iota
	wrongSnapshot
	wrongAfterCut
)
