// Package table is a checked model of the control plane of the transport: the port table, the
// channel table, which is also the only record of who owns which extent, and the steps under the
// control lock that change them. Peers are killed at any instant inside a step; a dying one closes
// its sockets before its locks go; a handshake may be given up half-way and its rest arrive late;
// a server may end in order while a part of it still runs.
//
// What must hold: a live submitter's row stays its own; no server writes to an extent, or to a
// buffer that lies in it, on behalf of a request that isn't there any more; everything ends, and
// nothing is left in the table.
//
// An extent is named by its row: rows and extents are given out and given back together. Each peer
// has one port and, if it submits, one channel with one request on it. What the rings do is the
// business of package ring.
package table
