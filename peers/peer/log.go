package peer

import (
	"io"
	"log/slog"
)

// NewLog returns the log of a role: lines of key=value. level is that of the configuration: 0
// errors, 1 warnings, 2 what an operator wants to know, 3 everything.
func NewLog(w io.Writer, level int) *slog.Logger {
	levels := [...]slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug}
	level = min(max(level, 0), len(levels)-1)
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: levels[level]}))
}
