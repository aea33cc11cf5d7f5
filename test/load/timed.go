package load

import (
	"context"
	"sync"
	"time"
)

// Timed measures what the load waits for.
type Timed struct {
	Device

	mu      sync.Mutex
	longest time.Duration
	calls   int
}

// Longest returns the longest that one call has taken since it was asked last, and how many there
// were.
func (t *Timed) Longest() (longest time.Duration, calls int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	longest, calls = t.longest, t.calls
	t.longest, t.calls = 0, 0
	return longest, calls
}

func (t *Timed) since(begin time.Time) {
	took := time.Since(begin)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.longest = max(t.longest, took)
	t.calls++
}

// ReadAt implements Device.
func (t *Timed) ReadAt(ctx context.Context, p []byte, off int64) error {
	defer t.since(time.Now())
	return t.Device.ReadAt(ctx, p, off)
}

// WriteAt implements Device.
func (t *Timed) WriteAt(ctx context.Context, p []byte, off int64) error {
	defer t.since(time.Now())
	return t.Device.WriteAt(ctx, p, off)
}

// Flush implements Device.
func (t *Timed) Flush(ctx context.Context) error {
	defer t.since(time.Now())
	return t.Device.Flush(ctx)
}
