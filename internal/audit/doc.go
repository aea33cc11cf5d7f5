// Package audit checks a whole store: every record, chunk, table page, tombstone, lock and object,
// over the two blockers alone, with or without a node that runs. It never stops at the first thing
// it finds; findings go to a callback as they are made. It changes nothing, but for what Options
// says.
//
// Model: records name chunks (through pages, where the table is paged), chunks name objects. What
// is named and isn't there is loss; what is there and isn't named is an orphan. Whether an orphan
// may go is the business of garbage collection; its rules decide what is said of it.
//
// Memory: about 100 bytes and a name per record and tombstone, and at most Options.References
// names of chunks, and as many of objects, at a time. A store with more of them is gone through
// several times, each time for a part of the names that a hash picks.
//
// A store in use changes under the check. What looks like loss is therefore read again, from the
// record or the chunk that names it, before it is reported; objects of a volume's present epoch may
// be named by entries that only its owner has, and are said to be so.
package audit
