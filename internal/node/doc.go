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
// Goroutines: one per role (peer.run) which alone starts, signals and reaps the processes of that
// role; one locked to its thread which forks all children; one per process that reads its notify
// socket; one that writes the log. No locks but the log's.
package node
