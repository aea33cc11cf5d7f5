//go:build !race

package writepath

// raceEnabled says whether the race detector watches.
const raceEnabled = false
