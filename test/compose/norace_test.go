//go:build !race

package compose

const raceOn = false
