// Package leak counts what a node uses before and after thousands of cycles of ordinary life
// (volumes that come and go, clients that come and go, peers that are restarted): descriptors and
// goroutines of each process, channels, waiters, slots and memory of the segment, files in /dev/shm,
// in the node's directory and in its runtime directory. All must be the same. And it restarts roles
// under a verified load.
package leak
