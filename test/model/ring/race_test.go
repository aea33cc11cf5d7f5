//go:build race

package ring

// raceEnabled says whether the race detector watches.
const raceEnabled = true
