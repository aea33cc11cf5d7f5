// Package vlmc is the command line that manages volumes. One file per command.
//
// Every command talks to the running node over its segment; none looks at the storage, and
// check alone goes past vlmcd and mapperd, to the blockers.
package vlmc
