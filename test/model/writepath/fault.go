package writepath

// Fault breaks one rule of the write path.
type Fault uint8

// Faults.
const (
	NoFault Fault = iota
	// BitBeforeData: COMMIT goes out before the data is written.
	BitBeforeData
	// NoSubBlockLock: writes take no lock of their sub-block.
	NoSubBlockLock
	// FlushWritesPresent: FLUSH writes the present entries instead of those of the cut.
	FlushWritesPresent
	// CopyUpWithoutLock: background copy-up runs beside the guest.
	CopyUpWithoutLock
	// NameReuse: an object is named by index and epoch, without a birth.
	NameReuse
	// TruncateAtBirth: the same, and the reservation empties what is there.
	TruncateAtBirth
	// ThawKeepsTranslations: the composer keeps its translations over a snapshot.
	ThawKeepsTranslations
	// CommitAnyBirth: COMMIT is accepted with another birth than the present one.
	CommitAnyBirth
	// CommitReplacesMask: COMMIT replaces the mask instead of adding to it.
	CommitReplacesMask
	// CompactionBeside: compaction runs beside the flush.
	CompactionBeside
	// CompactionOfPresent: compaction writes the present entries, not file and cut.
	CompactionOfPresent
	// SnapshotBeforeEpoch: the snapshot's record comes before the epoch's.
	SnapshotBeforeEpoch
	// EntryBeforeSync: entries are durable before the data is synced.
	EntryBeforeSync
	// LogNotReplayed: a mapper starts without the pending log.
	LogNotReplayed
	// LogTrimmedBeyondCut: FLUSH empties the log, not only what its cut had.
	LogTrimmedBeyondCut
	// GhostWrite: a successor serves while a write of the dead composer is under way.
	GhostWrite
	// GhostCommit: the same with a COMMIT.
	GhostCommit
	// GhostSnapshot: the same with a SNAPSHOT.
	GhostSnapshot
	// AppendOverTorn: a record is written over a torn one, what follows stays.
	AppendOverTorn
	// AppendBehindTorn: a record is appended behind a torn one.
	AppendBehindTorn
	// MergeWithoutMiddle: the middle level is dropped, its sub-blocks aren't copied.
	MergeWithoutMiddle
	// DirtyNamesForgotten: a restarted blocker doesn't know what is dirty.
	DirtyNamesForgotten
	// LateReplyWins: an answer seen late replaces a newer translation.
	LateReplyWins
	// PresenceNotRechecked: who waited for the lock copies without another look.
	PresenceNotRechecked
	// AnswerNotMerged: what MAPW says isn't merged into the translation.
	AnswerNotMerged
	// ReservationOutlivesComposer: the mapper keeps a reservation over the death of the composer that wrote under it.
	ReservationOutlivesComposer
	// DrainIgnoresLookups: the drain doesn't wait for MAPR.
	DrainIgnoresLookups
	// OrphanChunkReused: a chunk that no record names is appended to.
	OrphanChunkReused
	// RecordBeforeChunk: the record names a chunk that isn't written yet.
	RecordBeforeChunk
	// DiscardWithoutLocks: discard takes no sub-block locks.
	DiscardWithoutLocks
	// DeleteBeforeDurable: an object is deleted when its entry goes, not when that is durable.
	DeleteBeforeDurable
	// ReplayTrustsChunk: what the chunk's page cache shows is taken for durable.
	ReplayTrustsChunk
	// SnapshotWithoutFlush: the snapshot doesn't flush under the freeze.
	SnapshotWithoutFlush
	// FUAWithoutEntry: FUA syncs the object, but leaves its entry pending.
	FUAWithoutEntry
	// FailedSyncForgotten: a FLUSH succeeds though an earlier sync of the data failed.
	FailedSyncForgotten
	// HolesNotFilled: nothing is copied where nothing lies below, though other sub-blocks have
	// something below.
	HolesNotFilled
	// LockUpgrade: a merge takes the other sub-block locks while it holds its own.
	LockUpgrade
	numFaults
)

var faultNames = [numFaults]string{
	"NoFault", "BitBeforeData", "NoSubBlockLock", "FlushWritesPresent", "CopyUpWithoutLock", "NameReuse",
	"TruncateAtBirth", "ThawKeepsTranslations", "CommitAnyBirth", "CommitReplacesMask",
	"CompactionBeside", "CompactionOfPresent", "SnapshotBeforeEpoch", "EntryBeforeSync",
	"LogNotReplayed", "LogTrimmedBeyondCut", "GhostWrite", "GhostCommit", "GhostSnapshot",
	"AppendOverTorn", "AppendBehindTorn", "MergeWithoutMiddle", "DirtyNamesForgotten",
	"LateReplyWins", "PresenceNotRechecked", "AnswerNotMerged", "ReservationOutlivesComposer",
	"DrainIgnoresLookups", "OrphanChunkReused", "RecordBeforeChunk", "DiscardWithoutLocks",
	"DeleteBeforeDurable", "ReplayTrustsChunk", "SnapshotWithoutFlush", "FUAWithoutEntry",
	"FailedSyncForgotten", "HolesNotFilled", "LockUpgrade",
}

func (f Fault) String() string { return faultNames[f] }
