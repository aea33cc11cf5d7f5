package peer

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
)

// NewLog returns the log of a role: lines of key=value, or entries of the journal if w is what
// journald has given this process as its standard error. level is that of the configuration: 0
// errors, 1 warnings, 2 what an operator wants to know, 3 everything. Lines that are equal but for
// their numbers are limited.
func NewLog(w io.Writer, level int, role string) *slog.Logger {
	levels := [...]slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug}
	level = min(max(level, 0), len(levels)-1)
	return slog.New(newLimiter(newLogHandler(w, levels[level], role)))
}

// NewSupervisorLog is NewLog for the process that runs the roles: it says `source=supervisor`,
// because `role` is the role that a line is about.
func NewSupervisorLog(w io.Writer) *slog.Logger {
	return slog.New(newLogHandler(w, slog.LevelInfo, "")).With("source", "supervisor")
}

// LogsToJournal says whether f leads to journald, which then gets entries with fields.
func LogsToJournal(f *os.File) bool { return isJournal(f, os.Getenv("JOURNAL_STREAM")) }

func newLogHandler(w io.Writer, level slog.Level, role string) slog.Handler {
	text := slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if isOwnRole(a, role) {
			return slog.Attr{}
		}
		return a
	}})
	if f, ok := w.(*os.File); !ok || !LogsToJournal(f) {
		return text
	}
	j, err := openJournal(journalSocket)
	if err != nil {
		return text // which journald reads, too
	}
	fixed := []journalField{{"SYSLOG_IDENTIFIER", filepath.Base(os.Args[0])}}
	if role != "" {
		fixed = append(fixed, journalField{"ARCHIPELAGO_ROLE", role})
	}
	return &journalHandler{journal: j, level: level, fallback: text, fields: fixed, role: role}
}

// isOwnRole says that an attribute repeats what every line of the role says anyway.
func isOwnRole(a slog.Attr, role string) bool {
	return role != "" && a.Key == "role" && a.Value.String() == role
}
