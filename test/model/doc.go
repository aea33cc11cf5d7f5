// Package model explores small models of a protocol: every state that some order of steps can
// reach, breadth first, so that the first violation comes with a shortest trace.
//
// A model is a comparable state type with a step relation, an invariant and a notion of being
// finished. Explore checks the invariant in every state, and that from every state the work can
// still be finished by ordinary steps (neither deadlock nor livelock). States are remembered by a
// 64-bit hash: with a million states the chance that two of them are mistaken for each other, so
// that one is not explored, is below one in ten million.
//
// The models themselves are in the packages below this one. Single-threaded; not for production
// code.
package model
