// Package cli tests the command lines from outside: scripts over the built binaries and a real node
// in a temporary directory. Each script has a directory and a node of its own.
//
// Beside the commands of testscript a script has
//
//	node-start [DIR]        start a node (default: node) and wait for its ready line; it is the
//	                        default of all commands from then on ($ARCHIPELAGO_DIR), $NODE its
//	                        directory, $NBD the URI
//	node-stop               stop it with SIGTERM and check that it ends well
//	node-kill ROLE          kill -9 the process that serves a role, and wait until it is gone
//	node-crash              kill -9 the supervisor
//	code N COMMAND ARGS...  run a command that must end with that exit status
//	sparse FILE SIZE AT...  make a file of SIZE bytes with 4 KiB of data at each place
//	allocated FILE MAX      check that a file takes at most MAX bytes of the disk
//	group-record DIR NAME   leave the decision behind that the snapshot NAME of a group is real
package cli
