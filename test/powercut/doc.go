// Package powercut explores what a power cut, or the death of all processes, may leave: scenarios
// run on the real mapper and composer over stores in memory, and at every single store operation
// the stores are copied, lose any subset of what wasn't synced (all of them where they are few,
// else as a seed picks), and are opened again. Then what was promised must hold, and the check of
// the store must find neither loss nor corruption.
//
// A scenario runs once: everything that may happen next (an operation of a store takes place, an
// answer is heard) waits in a list, and a seed picks, so that operations overlap in any order. All
// randomness of the engines goes by the seed as well, and there is one processor: a seed repeats its
// run, unless the kernel makes the mapper's thread wait in a system call.
//
// ARCHIPELAGO_SEED repeats one random run, ARCHIPELAGO_SOAK=1 makes it millions of states.
package powercut
