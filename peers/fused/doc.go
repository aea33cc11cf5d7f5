// Package fused shows the volumes and snapshots of a node as files: a FUSE file system with one
// directory, in which each name is a file of the volume's size.
//
// Nothing is cached: every file is opened for direct I/O (reads and writes of any alignment are
// requests on the volume at once), names and sizes are looked up each time. So what vlmc, NBD
// clients and other files of the same volume do is seen at once, and a write that was acknowledged
// survives the death of every process. One FUSE request is one request on the volume, of at most
// 1 MiB; data of a read goes to the kernel from the buffer inside the segment.
//
// What a volume can't do as a file is refused: names aren't made or removed here (vlmc does that),
// and a size doesn't change by truncation.
//
// While vlmcd or mapperd are away requests wait. A request that the kernel has handed over isn't
// interrupted by signals, as with a disk; asking for names and attributes is.
//
// Lock order: FS.mu and dir.mu are never held together, and never over a request to a peer, but for
// dir.mu, which orders the readers of one open directory.
package fused
