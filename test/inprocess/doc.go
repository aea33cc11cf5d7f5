// Package inprocess tests a node whose roles all run in the supervisor's process
// (`archipelago run --in-process`): that it does its job, restarts its roles under its clients, and
// comes back after the death of the whole.
package inprocess
