// Package stats turns the counters in a segment into rates and percentiles: a sample is a look at
// all of them, and two samples say what ports and volumes did between them. No peer is asked.
//
// Counters that have become smaller were begun anew (by a successor, or a new node of the same
// name): they are then taken as they are. Nothing here keeps state or prints.
package stats
