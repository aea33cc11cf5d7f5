package peer

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// ReplaceSignal asks a peer to end because a successor is about to take its place. It ends as in
// order, but gives nothing up that the successor would have to win again: locks of volumes above
// all. A unit sends it before a restart (RestartKillSignal), `archipelago run` likewise.
const ReplaceSignal = syscall.SIGUSR1

// ErrReplaced is the cause of the end of a context that ReplaceSignal ended.
var ErrReplaced = errors.New("a successor takes over")

// WithReplace returns a context that ends with ctx, or at ReplaceSignal. stop gives the signal back.
func WithReplace(ctx context.Context) (replaceable context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, ReplaceSignal)
	go func() {
		select {
		case <-signals:
			cancel(ErrReplaced)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// Replaced says whether ctx ended because a successor takes over.
func Replaced(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrReplaced) }
