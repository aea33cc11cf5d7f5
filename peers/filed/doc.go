// Package filed is the blocker that keeps objects as files in a directory.
//
// # Layout
//
//	DIR/a/b/c               the object a/b/c
//	DIR/v/=3f/vol1          the object v/vol1: below the kinds v, c, t, and for names that start
//	DIR/=07/<uuid>/0/1.1.…  with a UUID, the component that names the volume lies in one of 256
//	                        shards, so that no directory grows with the number of volumes
//	DIR/.tmp/<owner>/       files that are being written; emptied when the store is opened
//	DIR/.reserve            space kept for Replace on a full disk; in LOCKS, for locks
//	LOCKS/l/=3f/<uuid>/7    generation 7 of the lock chain l/<uuid>; "head" is a hint
//
// No name has a component that starts with "." or "=", so these can't meet an object; List looks
// through shards as if they weren't there.
//
// # Durability
//
// A write is in the page cache when it is acknowledged; in a direct store, with the disk; with
// write-through, durable. Each object and each directory counts its
// changes: it is marked before it changes, and is clean again only if a sync that began when no
// change ran has ended and none began since. A Sync waits for a sync of each dirty object of the
// volume that began after its last change, and of the directories above it that have new entries.
// Syncs of one object are shared by all that wait for them, and so are those of a directory.
//
// After a failed fsync Linux marks the pages clean and reports the error once: the object stays bad
// until it was rewritten whole, replaced or deleted. A descriptor of an object that isn't clean is
// never closed, because the error might be reported to nobody. So that nobody has to wait for one, the
// oldest are synced in the background when most of the cache is dirty (ahead.go).
//
// # Restarts
//
// The names of dirty objects, for which volume, and whether they are bad, are kept in a list in
// shared memory (track.go), marked before the change. What a killed predecessor has left in it is
// made durable by the first Sync of its successor: by a syncfs, on a descriptor that was opened
// before the store's first write, and by an fsync of each name. The syncfs is needed because an
// error of a file that the kernel has dropped from its memory is kept for the file system alone: it
// is reported to each descriptor that was opened before it, and to the first one after it. The
// names are needed because only they say which objects an error is about, and which were bad
// already. A list that is empty says that there is nothing to do.
//
// Where there is no list (none is configured, it was removed, it was full, the machine was booted)
// the syncfs is all. When it fails then, nobody knows what was lost, and every Sync fails until the
// blocker was stopped in good order and started again. Close doesn't sync: it leaves the list.
//
// A successor can't know which directories its predecessor had yet to sync for an operation that it
// never answered. Who repeats that operation takes "exists", "gone" or "lost" for an answer: so
// these sync the directories before they are given.
//
// # Direct I/O
//
// Whole blocks in aligned memory go to the kernel as they are. Everything else goes by way of an
// aligned buffer: writes of a part of a block read the block first, with the blocks locked
// (span.go), and writes at the end of the file write whole blocks and cut it to its true size,
// alone in the file. The page cache is kept out of it even for the edges of holes: a dirty page
// beside a direct write can make the kernel report an error that is none.
//
// # Disk full
//
// Replace and LockAdvance may use the space of a file that is kept for them (reserve.go).
//
// # Listing
//
// Names are merged from the shards and sorted, in memory, a directory at a time. A cursor keeps
// what was read for the next page (list.go).
//
// # Threads
//
// What can't block for long runs in Submit: reads from the page cache (RWF_NOWAIT) and buffered
// writes, up to 64 KiB, of objects whose descriptor is cached; and the sync of one object, if syncs
// are quick on this disk and whoever asks is alone (quicksync.go). The rest runs on a bounded pool.
// Lock order: a name's stripe, then spans, then Store.mu or directories.mu; nothing is called with
// the last two held.
package filed
