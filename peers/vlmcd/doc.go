// Package vlmcd composes volumes: it splits the I/O of a volume by object, asks the mapper where
// the objects are, drives the data blocker, copies on write in sub-blocks, and owns the barrier
// behind which the map of a volume changes. It knows no map format and no storage.
//
// The engine is a state machine on one thread: every call of it and every Done of the mapper and
// the blocker run there, so it has no locks, and what it keeps is as it was at the last event. A
// Done may run inside the Submit that it ends: it only queues what happened, and Engine.run takes
// the events one by one.
//
// A request is cut into pieces, one per object. A piece that runs rests on translations and counts
// in its volume's drain; a piece that can't go on without an answer that may not come soon (the
// mapper said "not now") lets its locks go, leaves the drain, and starts again from nothing.
//
// Life of a piece that changes something:
//
//	translate   the entry of its object is known, or is asked for (a page of entries at once)
//	in place    every sub-block is in the volume's own object: one call of the blocker, done
//	lock        else: those that aren't, all of them at once, in order of arrival
//	reserve     an own object, shared by all pieces on the object until it is committed
//	fill        copy what partly covered sub-blocks lack, and write, in one call or side by side
//	commit      one COMMIT at a time per object, for all pieces that are filled by then
//
// Only after the commit the sub-blocks count as present and the piece ends; a stale commit starts
// it again.
//
// A piece that discards a whole object takes all its locks, waits for the writes in place, and is one
// COMMIT that leaves nothing; one that flattens fills with what is below alone.
//
// Map changes (snapshot, rollback, resize, rename, close, delete) freeze the volume: new requests
// park, what runs ends, the change is forwarded, all translations go, and the volume is opened
// afresh for what has parked. For snapshots of several volumes a freeze is held for a while, under a
// token.
//
// A stop lets end what has begun. What is parked then is left to the successor, unanswered.
package vlmcd
