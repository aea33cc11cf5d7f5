package peer

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"
)

// DebugSignal makes a peer log what its process uses, and at log level 3 the stacks of its
// goroutines.
const DebugSignal = syscall.SIGUSR2

// WatchDebug answers DebugSignal until the function that it returns is called. Stacks go to w as they
// are. Peer.Serve does it, but in a process that roles share, where it is for whoever runs them.
func WatchDebug(log *slog.Logger, w io.Writer) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, DebugSignal)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-signals:
				logUse(log, w)
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

func logUse(log *slog.Logger, w io.Writer) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	log.Warn("use", "pid", os.Getpid(), "goroutines", runtime.NumGoroutine(), "descriptors", openFiles(),
		"heap_bytes", m.HeapAlloc, "memory_bytes", m.Sys)
	if log.Enabled(context.Background(), slog.LevelDebug) {
		WriteStacks(w)
	}
}

// WriteStacks writes the stacks of all goroutines as they are: hundreds of lines.
func WriteStacks(w io.Writer) {
	// A log that can't be written has nowhere to say so.
	_ = pprof.Lookup("goroutine").WriteTo(w, 1)
}

// openFiles counts the descriptors of this process; -1 without /proc.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries) - 1 // the one that reads the directory
}
