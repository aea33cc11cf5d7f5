package writepath

// Small instances of the model. Each says which interleavings it is for.

// race: two clients write the two units of one sub-block of a clone, a third the other sub-block,
// and one of them flushes: locks, ORed bits, shared births, the cut.
func race() Config {
	return Config{Kills: 1, SelfFlushes: 1, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: Write, Sub: 0, Units: 2, Value: W2},
		{Kind: Write, Sub: 1, Units: 3, Value: W3},
		{Kind: Flush, After: 1},
	}}
}

// whole is everything that the promises are about at once: two writes race on one sub-block while
// one client flushes and another takes a snapshot; a write in place or into the new epoch follows;
// a peer is killed and the power goes, at any step.
func whole() Config {
	return Config{Kills: 1, PowerCuts: 1, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: Write, Sub: 0, Units: 2, Value: W2},
		{Kind: Flush, After: 1},
		{Kind: Snapshot},
		{Kind: Write, Sub: 0, Units: 1, Value: W3, After: 2},
	}}
}

// snapshots: a snapshot beside two writers, with two kills: epoch and record may fall apart more
// than once.
func snapshots() Config {
	return Config{Kills: 2, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: Snapshot},
		{Kind: Write, Sub: 0, Units: 2, Value: W2, After: 1},
		{Kind: Flush, After: 3},
	}}
}

// cuts: flushes, rewrites and first writes with two power cuts and a kill: torn tails, orphans, and
// what is built on what a cut left.
func cuts() Config {
	return Config{PowerCuts: 2, Kills: 1, Compactions: 1, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: Flush, After: 1},
		{Kind: Write, Sub: 1, Units: 3, Value: W2, After: 2},
		{Kind: Flush, After: 3},
		{Kind: Write, Sub: 0, Units: 2, Value: W3, After: 4},
		{Kind: Flush, After: 5},
	}}
}

// blank: a volume with nothing below, where an object is complete at birth.
func blank() Config {
	return Config{Volume: Blank, Kills: 1, PowerCuts: 1, EndpointsDie: true, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: Write, Sub: 0, Units: 2, Value: W2},
		{Kind: Write, Sub: 1, Units: 3, Value: W3},
		{Kind: Flush, After: 1},
	}}
}

// sparse: a sub-block of which nothing lies below, in an entry that has levels below.
func sparse() Config {
	return Config{Volume: Sparse, Kills: 1, PowerCuts: 1, EndpointsDie: true, Ops: []Op{
		{Kind: Write, Sub: 1, Units: 1, Value: W1},
		{Kind: Write, Sub: 1, Units: 2, Value: W2},
		{Kind: Flush, After: 2},
	}}
}

// copyUp: the composer's background copy beside a guest that writes the same sub-block.
func copyUp() Config {
	return Config{Kills: 1, Ops: []Op{
		{Kind: CopyUp, Sub: 0},
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: CopyUp, Sub: 1},
		{Kind: Flush, After: 2},
	}}
}

// discard: a whole object goes while others write it, and the object itself is deleted.
func discard() Config {
	return Config{Kills: 1, PowerCuts: 1, Volume: HalfOld, Ops: []Op{
		{Kind: Write, Sub: 1, Units: 1, Value: W1},
		{Kind: Discard},
		{Kind: Write, Sub: 0, Units: 2, Value: W2, After: 2},
		{Kind: Flush, After: 3},
	}}
}

// discardInPlace: the same beside a write in place.
func discardInPlace() Config {
	return Config{Kills: 1, PowerCuts: 1, Volume: HalfOld, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: Discard},
		{Kind: Write, Sub: 0, Units: 1, Value: W2, After: 1},
		{Kind: Flush, After: 2},
	}}
}

// merge: a write to an object with as many levels as an entry can have.
func merge() Config {
	return Config{Volume: Deep, Kills: 1, PowerCuts: 1, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: Write, Sub: 1, Units: 2, Value: W2},
		{Kind: Flush, After: 1},
	}}
}

// late: replies are seen in another order than they were given.
func late() Config {
	return Config{LateReplies: true, Kills: 1, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: Write, Sub: 1, Units: 3, Value: W2},
		{Kind: Snapshot},
		{Kind: Write, Sub: 0, Units: 2, Value: W3, After: 2},
	}}
}

// orphans: the power goes between the first chunk of an epoch and the record that names it.
func orphans() Config {
	return Config{Indexes: 2, PowerCuts: 1, Kills: 1, Ops: []Op{
		{Kind: Write, Index: 0, Sub: 0, Units: 1, Value: W1},
		{Kind: Flush, After: 1},
		{Kind: Write, Index: 1, Sub: 1, Units: 3, Value: W2, After: 2},
		{Kind: Flush, After: 3},
	}}
}

// appends: many records in one chunk, of two objects, with kills of the map blocker and a power
// cut in the middle.
func appends() Config {
	return Config{Indexes: 2, Volume: HalfOld, PowerCuts: 1, Kills: 1, Ops: []Op{
		{Kind: Write, Index: 0, Sub: 1, Units: 3, Value: W1},
		{Kind: Write, Index: 1, Sub: 1, Units: 3, Value: W2},
		{Kind: Flush, After: 1},
		{Kind: Write, Index: 0, Sub: 1, Units: 1, Value: W3, After: 3},
		{Kind: Flush, After: 4},
	}}
}

// compactions: the mapper flushes by itself while two objects are written, and compacts.
func compactions() Config {
	return Config{Indexes: 2, Volume: HalfOld, SelfFlushes: 1, Compactions: 1, Kills: 1, Ops: []Op{
		{Kind: Write, Index: 0, Sub: 1, Units: 3, Value: W1},
		{Kind: Write, Index: 1, Sub: 1, Units: 3, Value: W2},
		{Kind: Flush, After: 1},
	}}
}

// ghosts: a write over a write, and a write over a discard: what the first ones' composer left
// behind must have ended before.
func ghosts() Config {
	return Config{Kills: 1, Volume: HalfOld, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: Write, Sub: 0, Units: 1, Value: W2, After: 1},
		{Kind: Discard, After: 2},
		{Kind: Write, Sub: 0, Units: 1, Value: W3, After: 3},
	}}
}

// failures: the data doesn't come through to the disk once.
func failures() Config {
	return Config{PowerCuts: 1, SyncFailures: 1, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: Flush, After: 1},
		{Kind: Write, Sub: 0, Units: 3, Value: W2, After: 2},
		{Kind: Flush, After: 3},
		{Kind: Flush, After: 4},
	}}
}

// tight: the pending log has room for one entry, while a snapshot waits for the drain.
func tight() Config {
	return Config{LogRoom: 1, Kills: 1, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1},
		{Kind: Write, Sub: 1, Units: 2, Value: W2},
		{Kind: Snapshot},
	}}
}

// forced: a write that has to be durable when it is acknowledged.
func forced() Config {
	return Config{Kills: 1, PowerCuts: 1, SelfFlushes: 1, Ops: []Op{
		{Kind: Write, Sub: 0, Units: 1, Value: W1, FUA: true},
		{Kind: Write, Sub: 0, Units: 2, Value: W2},
		{Kind: Write, Sub: 0, Units: 1, Value: W3, FUA: true, After: 1},
	}}
}
