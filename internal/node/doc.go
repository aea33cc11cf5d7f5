// Package node runs a node in the foreground: `archipelago run`.
//
// The supervisor locks the node, clears what a killed predecessor left, makes the segment, starts a
// process per role in the configured order and waits until each is ready, then restarts whatever
// dies, until its context ends; then it stops the roles in reverse order and takes the segment
// away. It holds the listening NBD socket, so that clients can connect while nbdd is restarted.
//
// Peers talk to it by the sd_notify protocol, each process through a socket of its own: a message
// of a dead predecessor can't be taken for one of its successor. Peers die with the supervisor
// (parent death signal, and they watch their parent themselves).
//
// A peer may hand descriptors over (FDSTORE=1): they are kept per role, and the next process of the
// role inherits them, however the one before has ended. Commands ask for restarts and for the state
// of roles through the control socket (DialControl), which is open as long as all roles have started
// and the node doesn't stop.
//
// With Options.Host roles run in this process in place of processes of their own: all of the above is
// the same, through the same sockets, but that a part of a process can't be killed. Where a process
// would be, this one ends (hosted.giveUp), unless it is about to end anyway.
//
// Goroutines: one per role (peer.run) which alone starts, signals and reaps the processes of that
// role; one locked to its thread which forks all children; two per role that runs here, beside its
// own; one per process that reads its notify socket; one per role that watches stored descriptors;
// one that accepts on the control socket, and a few per connection; one that writes the log. Locks,
// never nested: the log's, a role's state, a role's store (held while its process is forked), a
// control connection's output; that of a role's output is held while it writes to the log.
package node
