// Package writepath is a checked model of the write path: one volume of one or two objects, each
// of two sub-blocks of two units, written by a few clients through a composer (vlmcd), a mapper
// (mapperd) and two blockers, with flush, snapshot, copy-up, discard, compaction, kills of each
// peer and a power cut at any step. docs/write-path.md says which rule each test holds.
//
// A unit is the smallest thing that is written; its content is one bit of a set of values. The
// page cache has one value per unit; what a power cut may leave is a set (what was durable and
// everything since). A step is what a peer does in one go: whatever it passes on is a later step.
//
// In every state it is checked that each unit reads as a value that some client may expect (through
// the composer's translation, through the mapper, and through a mapper that would be restarted
// now), that whatever a power cut would leave now is what a completed FLUSH promised, and that the
// snapshot and the origin read as at their points in time. A unit that nobody writes at the
// moment has been read by somebody: from then on only that value is right.
//
// Faults are switches that break one rule each; a test per fault fails if it is not found.
//
// What it leaves out: reads that overlap several steps, lease and hand-over, errors of the
// storage, several chunks.
package writepath
