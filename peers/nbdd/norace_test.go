//go:build !race

package nbdd

const raceEnabled = false
