// Package share is a checked model of what keeps shared objects alive: a clone is made of a
// snapshot while the snapshot is removed, the clone is renamed, and a garbage collection lists the
// store, which is not one step: every name has its own moment. Any of them may be killed at any
// step. What must hold: the objects of the snapshot stay while a usable clone needs them.
package share
