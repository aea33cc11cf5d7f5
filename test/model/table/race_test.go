//go:build race

package table

// raceEnabled says whether the race detector watches.
const raceEnabled = true
