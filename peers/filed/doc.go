// Package filed is the blocker that keeps objects as files in a directory.
//
// # Layout
//
//	DIR/a/b/c               the object a/b/c
//	DIR/v/=3f/vol1          the object v/vol1: below the kinds v, c, t, and for names that start
//	DIR/=07/<uuid>/0/1.1.…  with a UUID, the component that names the volume lies in one of 256
//	                        shards, so that no directory grows with the number of volumes
//	DIR/.tmp/<owner>/       files that are being written; emptied when the store is opened
//	DIR/.reserve            space kept for Replace on a full disk
//	LOCKS/l/=3f/<uuid>/7    generation 7 of the lock chain l/<uuid>; "head" is a hint
//
// No name has a component that starts with "." or "=", so these can't meet an object; List looks
// through shards as if they weren't there.
//
// # Durability
//
// A write is in the page cache when it is acknowledged. Each object and each directory counts its
// changes: it is marked before it changes, and is clean again only if a sync that began when no
// change ran has ended and none began since. A Sync waits for a sync of each dirty object of the
// volume that began after its last change, and of the directories above it that have new entries.
// Syncs of one object are shared by all that wait for them, and so are those of a directory.
//
// After a failed fsync Linux marks the pages clean and reports the error once: the object stays bad
// until it was rewritten whole, replaced or deleted. A descriptor of an object that isn't clean is
// never closed, because the error might be reported to nobody.
//
// What a killed predecessor had written and not synced is not known by name. So the first Sync after
// the store was opened is a syncfs, on a descriptor that was opened before the store's first write.
// The kernel reports to it each write-back error of the file system that came after it was opened,
// and one from before that nobody has seen yet. When it fails, nobody knows what was lost, and every
// Sync fails until the store is opened again.
//
// # Threads
//
// What can't block for long runs in Submit: reads from the page cache (RWF_NOWAIT) and buffered
// writes, up to 64 KiB, of objects whose descriptor is cached. The rest runs on a bounded pool.
// Lock order: a name's stripe, then Store.mu or directories.mu; nothing is called with those held.
package filed
