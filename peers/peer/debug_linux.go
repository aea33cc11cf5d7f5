package peer

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"
)

// DebugSignal makes a peer log what it uses, and at log level 3 the stacks of its goroutines.
const DebugSignal = syscall.SIGUSR2

// watchDebug answers DebugSignal until the function that it returns is called.
func (p *Peer) watchDebug() (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, DebugSignal)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-signals:
				p.logUse()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}

func (p *Peer) logUse() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.Log.Warn("use", "pid", os.Getpid(), "goroutines", runtime.NumGoroutine(), "descriptors", openFiles(),
		"heap_bytes", m.HeapAlloc, "memory_bytes", m.Sys)
	if p.Log.Enabled(context.Background(), slog.LevelDebug) {
		// To standard error as it is: it has hundreds of lines.
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
	}
}

// openFiles counts the descriptors of this process; -1 without /proc.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries) - 1 // the one that reads the directory
}
