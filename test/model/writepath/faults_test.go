package writepath

import (
	"testing"

	"archipelago/test/model"
)

// planted says in which small instance each fault has to show.
var planted = []struct {
	fault Fault
	cfg   Config
}{
	{BitBeforeData, race()},
	{NoSubBlockLock, race()},
	{FlushWritesPresent, race()},
	{CopyUpWithoutLock, copyUp()},
	{NameReuse, discard()},
	{TruncateAtBirth, race()},
	{ThawKeepsTranslations, snapshots()},
	{CommitAnyBirth, race()},
	{CommitReplacesMask, race()},
	{CompactionBeside, cuts()},
	{CompactionOfPresent, compactions()},
	{SnapshotBeforeEpoch, snapshots()},
	{EntryBeforeSync, cuts()},
	{LogNotReplayed, race()},
	{LogTrimmedBeyondCut, race()},
	{GhostWrite, ghosts()},
	{GhostCommit, ghosts()},
	{FUAWithoutEntry, forced()},
	{FailedSyncForgotten, failures()},
	{HolesNotFilled, sparse()},
	{LockUpgrade, merge()},
	{GhostSnapshot, snapshots()},
	{AppendOverTorn, appends()},
	{AppendBehindTorn, cuts()},
	{MergeWithoutMiddle, merge()},
	{DirtyNamesForgotten, race()},
	{LateReplyWins, late()},
	{PresenceNotRechecked, race()},
	{ReservationOutlivesComposer, blank()},
	{DrainIgnoresLookups, late()},
	{OrphanChunkReused, orphans()},
	{RecordBeforeChunk, race()},
	{DiscardWithoutLocks, discard()},
	{DeleteBeforeDurable, discard()},
	{ReplayTrustsChunk, race()},
	{SnapshotWithoutFlush, snapshots()},
	{AnswerNotMerged, blank()},
}

// TestFaultIsFound shows that the model can fail: it finds every fault.
func TestFaultIsFound(t *testing.T) {
	tried := map[Fault]bool{}
	for _, p := range planted {
		tried[p.fault] = true
		t.Run(p.fault.String(), func(t *testing.T) {
			p.cfg.Fault = p.fault
			r, err := Explore(p.cfg, model.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Violation == nil {
				t.Fatalf("not found in %v", r)
			}
			t.Logf("found in %v", r)
		})
	}
	for f := NoFault + 1; f < numFaults; f++ {
		if !tried[f] {
			t.Errorf("no instance for %v", f)
		}
	}
}
