// Package device makes volumes block devices of the machine: map, unmap, and what is mapped.
//
// A driver does it. "nbd" is the kernel's NBD client, set up by generic netlink with a connection to
// nbdd; a small process per device (Hold) gives it a new one when nbdd was killed, so that its
// users see a pause. "loop" is a loop device on the volume's file in the file system of fused; when
// fused is killed its users get errors until it is mapped anew. "xsegbd" is the driver of this
// project's own module. "auto" takes the first of xsegbd, nbd and loop that the machine has.
//
// What is mapped lies in RUNTIME_DIR/mapped: a JSON file per volume, so that List needs no
// privileges and asks nobody. The kernel is the authority: an entry whose device isn't there, or is
// another's, is left over by a crash or a reboot and counts for nothing.
//
// Mapping takes no lock of the volume: that comes with the first I/O.
//
// Changes are serialised by a lock on a file in that directory, across processes.
package device
