// Package blockertest is the conformance suite of blockers: every store passes Run, which checks
// what package blocker demands, in one goroutine and in many. What needs a store's help has a
// function of its own: RunSyncFailure (syncs that fail), RunFull (a disk that is full), RunRestart
// (a kill) and RunPowerCut (for models of one).
package blockertest

import (
	"testing"

	"archipelago/peers/blocker"
)

// New makes an empty store for one test; it registers with t.Cleanup what has to be undone. The
// suite closes the store.
type New func(t *testing.T) blocker.Store

// Run checks a store.
func Run(t *testing.T, open New) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *fixture)
	}{
		{"read", testRead},
		{"write", testWrite},
		{"write of many sizes", testWriteSizes},
		{"write keeps nothing", testKeepsNothing},
		{"write zeroes", testWriteZeroes},
		{"discard", testDiscard},
		{"space is given back", testSpace},
		{"space of the tail is given back", testTailSpace},
		{"copy", testCopy},
		{"copy of holes", testCopyHoles},
		{"fill", testFill},
		{"fill of holes", testFillHoles},
		{"sync", testSync},
		{"stat", testStat},
		{"create", testCreate},
		{"create has one winner", testCreateRace},
		{"create appears whole", testCreateWhole},
		{"replace", testReplace},
		{"replace is atomic", testReplaceAtomic},
		{"append", testAppend},
		{"append has one winner", testAppendRace},
		{"truncate", testTruncate},
		{"delete", testDelete},
		{"delete and write again", testDeleteRace},
		{"list", testList},
		{"list by pages", testListPages},
		{"list beside changes", testListRace},
		{"lock chain", testLock},
		{"lock chain has one winner", testLockRace},
		{"names", testNames},
		{"arguments", testArguments},
		{"errors name the object", testErrorNames},
		{"done submits", testDoneSubmits},
		{"overlapping writes", testOverlap},
		{"disjoint writes in one block", testDisjoint},
		{"disjoint writes that grow", testDisjointGrowth},
		{"a whole block and a part of it", testWholeAndPart},
		{"many objects at once", testManyObjects},
		{"order on one object", testOrder},
		{"random operations", testRandom},
		{"random operations in parallel", testRandomParallel},
		{"close", testClose},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fixture{T: t, s: open(t)}
			defer f.s.Close()
			c.test(t, f)
		})
	}
}
