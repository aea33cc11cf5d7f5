package peer

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"
)

// Limits of the log: of lines that say the same about the same thing, this many per window are
// written. A peer that meets the same trouble with every request would fill the disk with it, and
// hide everything else.
const (
	limitLines  = 10
	limitWindow = 10 * time.Second
)

// limiter is a slog.Handler that drops lines beyond the limit, and says at the end of the window
// how many they were. Two lines are the same if level, message and the volume, object or role that
// they name are. Safe for use by many goroutines.
type limiter struct {
	next  slog.Handler
	state *limitState
	about string // of the attributes that With has given
}

type limitState struct {
	after func(time.Duration, func()) // time.AfterFunc, but in tests

	mu    sync.Mutex
	lines map[limitKey]*limited
}

type limitKey struct {
	level      slog.Level
	msg, about string
}

// limited is one window. One in which something was dropped ends with the timer that was started
// then, which tells.
type limited struct {
	begin            time.Time
	written, dropped int
}

// maxWindows is how many windows are remembered before those that are over are forgotten.
const maxWindows = 1000

func newLimiter(next slog.Handler) *limiter {
	return &limiter{next: next, state: &limitState{
		after: func(d time.Duration, f func()) { time.AfterFunc(d, f) },
		lines: map[limitKey]*limited{},
	}}
}

// Enabled implements slog.Handler.
func (l *limiter) Enabled(ctx context.Context, level slog.Level) bool {
	return l.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (l *limiter) Handle(ctx context.Context, r slog.Record) error {
	key := limitKey{r.Level, r.Message, l.about}
	r.Attrs(func(a slog.Attr) bool {
		key.about += subject(a)
		return true
	})
	if !l.state.admit(key, r.Time, l.endWindow) {
		return nil
	}
	return l.next.Handle(ctx, r)
}

// subject returns what an attribute adds to what a line is about.
func subject(a slog.Attr) string {
	switch a.Key {
	case "volume", "object", "role":
		return a.Key + "=" + a.Value.String() + " "
	}
	return ""
}

// admit says whether a line may be written now; end is called when a window ends that had to drop.
func (s *limitState) admit(key limitKey, now time.Time, end func(limitKey)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.lines[key]
	if w == nil || w.over(now) {
		s.forget(now)
		w = &limited{begin: now}
		s.lines[key] = w
	}
	if w.written < limitLines {
		w.written++
		return true
	}
	w.dropped++
	if w.dropped == 1 {
		s.after(limitWindow-now.Sub(w.begin), func() { end(key) })
	}
	return false
}

func (w *limited) over(now time.Time) bool { return w.dropped == 0 && now.Sub(w.begin) >= limitWindow }

// forget bounds the memory: every line may be about another object.
func (s *limitState) forget(now time.Time) {
	if len(s.lines) >= maxWindows {
		maps.DeleteFunc(s.lines, func(_ limitKey, w *limited) bool { return w.over(now) })
	}
}

func (l *limiter) endWindow(key limitKey) {
	s := l.state
	s.mu.Lock()
	w := s.lines[key]
	delete(s.lines, key)
	s.mu.Unlock()
	r := slog.NewRecord(time.Now(), key.level, "log lines were dropped", 0)
	r.AddAttrs(slog.Int("count", w.dropped), slog.String("of", key.msg))
	if key.about != "" {
		r.AddAttrs(slog.String("about", key.about[:len(key.about)-1]))
	}
	// There is nowhere to report that the log can't be written.
	_ = l.next.Handle(context.Background(), r)
}

// WithAttrs implements slog.Handler.
func (l *limiter) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := &limiter{next: l.next.WithAttrs(attrs), state: l.state, about: l.about}
	for _, a := range attrs {
		n.about += subject(a)
	}
	return n
}

// WithGroup implements slog.Handler.
func (l *limiter) WithGroup(name string) slog.Handler {
	return &limiter{next: l.next.WithGroup(name), state: l.state, about: l.about}
}
