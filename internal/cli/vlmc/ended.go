package vlmc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"archipelago/internal/config"
	"archipelago/xseg"
)

// endedEvery is how often a command looks whether its node is still there. Nothing tells: peers
// that are restarted go away, too.
const endedEvery = 500 * time.Millisecond

// errEnded is the cause of a context that ended with the node.
var errEnded = fmt.Errorf("the node has ended: %w", xseg.ErrNotRunning)

// withNode returns a context that ends with ctx, or when the node's segment has gone: then nobody
// will ever answer what was asked, and waiting for successors of its peers makes no sense. stop
// must be called.
func withNode(ctx context.Context, cfg *config.Config) (node context.Context, stop func()) {
	node, cancel := context.WithCancelCause(ctx)
	path := filepath.Join("/dev/shm", cfg.SegmentName)
	there, err := os.Stat(path)
	if err != nil {
		return node, func() { cancel(nil) } // joining it fails, and says why
	}
	go func() {
		tick := time.NewTicker(endedEvery)
		defer tick.Stop()
		for {
			select {
			case <-node.Done():
				return
			case <-tick.C:
				if now, err := os.Stat(path); err != nil || !os.SameFile(there, now) {
					cancel(errEnded)
					return
				}
			}
		}
	}()
	return node, func() { cancel(nil) }
}

// hasEnded says that the node that ctx belongs to has gone.
func hasEnded(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errEnded) }

// endedError replaces the end of the context by its cause in the error of a command.
func endedError(ctx context.Context, err error) error {
	if err == nil || !hasEnded(ctx) {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return &nodeError{err}
	}
	return err
}

// nodeError is the end of a context that the end of the node has brought about.
type nodeError struct{ err error }

func (e *nodeError) Error() string        { return e.err.Error() + ": " + errEnded.Error() }
func (e *nodeError) Is(target error) bool { return target == xseg.ErrNotRunning }
