// Package device tests that volumes become files and block devices of this machine: real nodes,
// real mounts, real loop devices; the kernel's NBD client in a virtual machine. What needs root or
// a tool is skipped with the reason where that isn't there.
package device
