// Package system boots a Debian system in QEMU (emulation) from a clone, over NBD and over the file
// of fused, and kills peers under a guest that writes: the guest sees nothing of it, what it wrote
// is there after a restart of the machine, and the snapshot that the clone was made from is, bit by
// bit, what was imported.
//
// It needs root (for the image), QEMU, mmdebstrap and apt; where they aren't it is skipped with the
// reason. ARCHIPELAGO_VM=1 asks for it: it takes minutes.
package system
