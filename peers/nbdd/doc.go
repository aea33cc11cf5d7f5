// Package nbdd serves volumes as NBD exports on a Unix socket: fixed newstyle negotiation,
// structured replies, several connections per export.
//
// The thread that serves the backend's completions also reads the sockets (poller, socket) and sends
// the answers, so that nothing is handed over between threads on the way of a request: it parses as
// many requests as one read brought, and hands each to the export as an IO. The end of an IO queues a
// reply, wherever it happens (on that thread, or inside Submit); queued replies leave together, from
// the buffers of the IOs, by a writev that doesn't block, at the end of the backend's batch. If the
// socket is full the rest goes out when there is room. In steady state nothing is allocated.
//
// Whatever may have to wait is done by a goroutine per connection, to which the thread gives the
// reading back (turn_linux.go): the negotiation, what takes more than one IO (of 4 MiB at most) or finds
// no room, questions about the map, errors, the end. The data of a long write goes from the socket
// straight into the buffer of its IO, whoever reads.
//
// A client that stops in the middle, reading or sending, keeps no buffer of the node for long:
// after a short while what it holds moves to the heap, within a budget that all clients share.
//
// A server that ends because a successor takes its place hands its clients over (handover.go, and
// keep_linux.go for the descriptors); handstate.go has the format of what goes with them.
//
// The way of a request, for who looks for speed: poller.Work, arrived, readQuick, quick, then ended,
// BatchEnd, flush, send, release. Nothing else runs per request.
//
// The package knows no map and no storage: it sees a Backend. What lies where (block status) it asks
// the backend on a goroutine per request, for that may take its time.
//
// Lock order: Server.mu and Server.dirtyMu are leaves, taken without a conn.mu; conn.mu is never
// held over a system call or a call of the backend.
package nbdd
