// Package systemd starts, stops and looks at units of the system manager over D-Bus: the few calls
// that the commands of a node need, none of which waits without end.
//
// The model: a call that starts a job returns the job's path, and the signal JobRemoved says how the
// job ended. The two come from different queues of the bus, so the signal may be there first; a table
// of jobs brings them together in either order. Units are looked at with LoadUnit, never GetUnit:
// the latter fails for a unit that is merely not in memory.
//
// It makes no unit files; order.go alone writes what a generator of systemd writes. It knows nothing
// of the roles of a node but their names.
//
// Lock order: mu of the job table is a leaf.
package systemd
