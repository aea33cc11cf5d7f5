package writepath

// Kind is what a client (or the composer itself) wants.
type Kind uint8

// Kinds of work.
const (
	Write    Kind = iota + 1 // Units of Sub get Value
	Discard                  // the whole object reads as zeros
	Flush                    // what was acknowledged before is durable
	Snapshot                 // the state of the volume is kept for good
	CopyUp                   // the composer's own: Sub comes into the volume's own object
)

// Op is one piece of work. After is the position of the op that its client waits for, plus 1; 0
// if it may begin at once.
type Op struct {
	Kind  Kind
	Index uint8
	Sub   uint8
	Units uint8 // bit 0: first unit of the sub-block, bit 1: second
	Value uint8
	FUA   bool
	After uint8
}

// Volume says what the volume looks like to begin with.
type Volume uint8

// Volumes.
const (
	Cloned  Volume = iota // every sub-block lies in the origin's object
	Blank                 // nothing below
	Deep                  // as many immutable levels as an entry can have
	HalfOld               // own object of the present epoch holds sub-block 0, the origin the rest
	Sparse                // the same, but the origin holds sub-block 0 only
)

// Config is a small instance of the model.
type Config struct {
	Ops         []Op
	Volume      Volume
	Indexes     uint8
	Kills       uint8 // peers that may be killed
	PowerCuts   uint8
	SelfFlushes uint8 // flushes that the mapper begins by itself
	Compactions uint8 // flushes that may compact the chunk
	// SyncFailures: syncs of the data that fail.
	SyncFailures uint8
	// LogRoom: COMMITs that the pending log has room for; 0 = enough. The mapper flushes when it
	// is full.
	LogRoom uint8

	// ComposerReserves: the mapper remembers no reservation; the composer shares an answer to MAPW
	// among all writes on the object, merges a fourth level before it writes anything, and copies
	// only what a write doesn't cover. Else the mapper remembers it until the next OPEN, a write
	// that merges takes all locks, and sub-blocks are copied whole.
	ComposerReserves bool
	// LateReplies: answers to MAPR and MAPW wait in the channel for a step of their own, so that
	// they may be seen in another order than they were given.
	LateReplies bool
	// EndpointsDie: a client may die together with the composer; its requests are never repeated.
	EndpointsDie bool

	Fault Fault
}

// Values of a unit are single bits, so that a set of them is a byte.
const (
	zero   uint8 = 1 << 0
	parent uint8 = 1 << 1
	middle uint8 = 1 << 2
	// W1 and on are for the writes of a Config.
	W1 uint8 = 1 << 3
	W2 uint8 = 1 << 4
	W3 uint8 = 1 << 5
	W4 uint8 = 1 << 6
	W5 uint8 = 1 << 7
)

const (
	subs      = 2
	units     = 2 * subs // of an object
	fullMask  = 1<<subs - 1
	bothUnits = 3
	maxIdx    = 2
	maxOps    = 6
	maxObj    = 8 // objects at a time; 0 is none
	maxEpoch  = 5
	maxLevels = 3 // of a stored entry
	maxLog    = 6
	maxRecs   = 4 // appended records of a chunk
)
