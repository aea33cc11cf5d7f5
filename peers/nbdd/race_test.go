//go:build race

package nbdd

const raceEnabled = true
