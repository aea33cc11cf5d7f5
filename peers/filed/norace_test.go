//go:build !race

package filed

const raceEnabled = false
