//go:build race

package powercut

// raceDetector makes everything ten times slower: then a sample does.
const raceDetector = true
