// Package shm is what a segment needs of the operating system: a file in shared memory, locks on
// it, futexes, clocks, and facts about processes. It knows nothing of ports or channels.
package shm
