//go:build race

package channel

import (
	"runtime"
	"unsafe"
)

// raceWords stand for the state words of slots: the race detector doesn't see mapped memory, so
// that a hand-over between two peers of one process would look like a race to it. Two slots may
// share a word; that only adds order.
var raceWords [1 << 16]byte

func raceWord(base uint64, slot uint32) unsafe.Pointer {
	return unsafe.Pointer(&raceWords[(base/4096*61+uint64(slot))%uint64(len(raceWords))])
}

// raceRelease says that what was written so far belongs to whoever takes the slot over.
func raceRelease(base uint64, slot uint32) { runtime.RaceReleaseMerge(raceWord(base, slot)) }

// raceAcquire says that the slot was taken over.
func raceAcquire(base uint64, slot uint32) { runtime.RaceAcquire(raceWord(base, slot)) }
