// Package doctor looks for what is wrong with a node, or soon will be, and says what to do about it.
//
// A check looks at one thing, changes nothing that lasts, and returns what it found: nothing, if all
// is well. Checks don't ask peers, and work on a node that runs, hangs, or was never started. What a
// check can't see (for lack of rights, say) is a note of its own, never taken for "well".
package doctor
