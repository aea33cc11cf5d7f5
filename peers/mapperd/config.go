package mapperd

import (
	"log/slog"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
)

// Config is what an engine works with. Fields that say "0 = …" may be left out.
type Config struct {
	Maps   blocker.Store // records, chunks, locks, tombstones
	Blocks blocker.Store // the objects of volumes

	// PendingDir is a directory that survives every process and no power cut (tmpfs). It is made
	// if it is missing.
	PendingDir string

	Node      string   // name of this node, owner of the locks
	MachineID [16]byte // of this node
	BootID    [16]byte // of this boot

	Nodes   mapfmt.NodesMode // of a new store; 0 = single. An existing store must have the same
	StoreID mapfmt.UUID      // of a new store; 0 = random
	Term    uint64           // of the lease; commits that rest on another one are refused

	PendingSlots int           // records that a pending log has room for at first; 0 = 256
	PendingMax   int           // to which it grows when it fills up often; 0 = 8192
	FlushAfter   time.Duration // age at which a committed entry is flushed unasked; 0 = 5 s
	IdleAfter    time.Duration // after which an unused map leaves the memory; 0 = 1 min
	Log          *slog.Logger  // nil = none

	faults faults // planted by tests of the tests
}

// faults make the engine wrong on purpose: tests prove with them that they would notice.
type faults struct {
	skipDataSync      bool // flush persists entries without syncing the data
	skipChunkSync     bool // flush trims the log though the appends aren't durable
	flushPresent      bool // flush persists present values instead of those at the cut
	snapshotFirst     bool // the snapshot's record is made before the epoch was raised
	keepEpoch         bool // commits of the old epoch are taken after a snapshot
	dropLog           bool // the pending log isn't replayed
	recordBeforeChunk bool // the record names a chunk file that isn't there yet
	deleteFirst       bool // the record goes before there is a tombstone
	skipOriginCheck   bool // a clone doesn't look at its origin again
	moveDeleteFirst   bool // a rename removes the old record before there is the new one
	rollbackOverLog   bool // a rollback leaves the pending log of before
	growUntrimmed     bool // a volume grows though what a shrink left isn't gone
	pageLast          bool // the record names a page of the chunk table that isn't there yet
	deleteEarly       bool // a discarded object goes before the map without it is durable
	groupUndecided    bool // members of a group become real one by one
}

// Tuning.
const (
	defaultPendingSlots = 256 // 48 KiB: what each volume in use takes of shared memory
	defaultPendingMax   = 8192
	pendingGrowth       = 4 // factor
	defaultFlushAfter   = 5 * time.Second
	defaultIdleAfter    = time.Minute
	tickInterval        = time.Second
)

func (c *Config) setDefaults() {
	if c.Nodes == 0 {
		c.Nodes = mapfmt.NodesSingle
	}
	if c.StoreID == (mapfmt.UUID{}) {
		c.StoreID = mapfmt.NewUUID()
	}
	if c.PendingSlots == 0 {
		c.PendingSlots = defaultPendingSlots
	}
	if c.PendingMax == 0 {
		c.PendingMax = defaultPendingMax
	}
	if c.FlushAfter == 0 {
		c.FlushAfter = defaultFlushAfter
	}
	if c.IdleAfter == 0 {
		c.IdleAfter = defaultIdleAfter
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}
