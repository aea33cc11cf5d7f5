// Package nbdd serves volumes as NBD exports on a Unix socket: fixed newstyle negotiation,
// structured replies, several connections per export.
//
// One goroutine per connection reads the socket: it parses as many requests as one read brought,
// and hands each to the export as IOs of at most 4 MiB; the data of a write goes from the socket
// straight into the buffer of its IO. The end of an IO queues a reply, wherever it happens (on the
// serving thread of the backend, or inside Submit); queued replies leave together, from the buffers
// of the IOs, by a writev that doesn't block, at the end of the reader's or the backend's batch. If
// the socket is full a goroutine takes over until it isn't. In steady state nothing is allocated.
//
// A client that stops in the middle, reading or sending, keeps no buffer of the node for long:
// after a short while what it holds moves to the heap, within a budget that all clients share.
//
// A server that ends because a successor takes its place hands its clients over (handover.go, and
// keep_linux.go for the descriptors); handstate.go has the format of what goes with them.
//
// The way of a request, for who looks for speed: transmit, handle, start, prepare, Submit on the
// reader; ended, BatchEnd, flush, send, release on the backend's thread. Nothing else runs per request.
//
// The package knows no map and no storage: it sees a Backend. What lies where (block status) it asks
// the backend on a goroutine per request, for that may take its time.
//
// Lock order: Server.mu and Server.dirtyMu are leaves, taken without a conn.mu; conn.mu is never
// held over a system call or a call of the backend.
package nbdd
