package shm

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNapsDoNotHoldUpTheCollector: it stops all threads for a moment, those that nap too. A thread that
// slept like this until it is woken would make each collection last for seconds.
func TestNapsDoNotHoldUpTheCollector(t *testing.T) {
	bell, err := NewEventfd()
	if err != nil {
		t.Fatal(err)
	}
	defer CloseFD(bell)
	var word atomic.Uint32
	for name, nap := range map[string]func(){
		"futex":   func() { Wait(&word, 0, true) },
		"eventfd": func() { WaitEventfd(bell, -1, true) },
	} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			runtime.LockOSThread()
			for !stop.Load() {
				nap()
			}
		})
		const collections = 20
		begun := time.Now()
		for range collections {
			runtime.GC()
		}
		if d := time.Since(begun); d > collections*time.Duration(WaitLimit.Nano())/2 {
			t.Errorf("%s: %d collections took %v", name, collections, d)
		}
		stop.Store(true)
		Wake(&word)
		SignalEventfd(bell)
		wg.Wait()
	}
}
