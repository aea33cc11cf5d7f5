// Package kill lets a storm loose on a real node: its peers are killed, stopped and starved at any
// moment, alone, together and with their supervisor, under loads that know what every block may
// hold, with changes of maps beside them.
//
// Three loads run: over the xseg client and over our NBD client, which connects again, both checked
// block by block; and fio --verify over its NBD engine. That one ends at the first lost connection,
// so nbdd is spared there.
//
// The environment is made hostile one way at a time: memory, disk, shared memory, a store that
// hangs, fails or turns read-only. Mistakes planted in the peers must be found by the same storm.
package kill
