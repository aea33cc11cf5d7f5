// Package mapperd keeps the maps of volumes: which object holds which bytes. Engine implements
// mapper.Mapper over two blockers, one for maps and one for blocks; Run serves it at a port.
//
// In memory there is, per open volume, its record, the chunks of its map that were used lately, and
// which entries were committed but not flushed. An entry that was committed lies in the pending log
// (shared memory: it survives every process) until FLUSH has made the data that it names durable
// and has written the entry to its chunk. Of objects that MAPW gave out nothing is remembered:
// their births tell them apart, and of several for one index the first commit wins.
//
// What is in memory is answered within Submit. Anything that has to wait for a blocker runs in a
// goroutine of its own and then does the same again. No volume waits for another one.
//
// What a crash may leave, and why it is harmless:
//   - a chunk file that no record names: its name is reused by replacing the file;
//   - records appended to a chunk but still in the pending log: replay puts the same values there;
//   - a higher epoch and no snapshot: objects of the old epoch are copied once more than needed;
//   - a PENDING clone: whoever opens it finishes the check of its origin;
//   - a tombstone beside its record: the removal didn't happen, the next one replaces it;
//   - MOVING or FROM in a record: any operation on either name finishes the rename first;
//   - TRIM in a record: finished before the size changes again, and before a snapshot;
//   - a PENDING member of a group of snapshots: what the decision about the group says, and without
//     one the group is given up;
//   - a page of a chunk table that no record names: like a chunk.
//
// Lock order: names of volumes (nameLocks, in byte order), volume.ctl, volume.storing, volume.mu;
// Engine.mu is taken last and nothing is called under it.
package mapperd
