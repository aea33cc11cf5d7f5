package peer

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// journalSocket is where journald takes entries in its own protocol.
const journalSocket = "/run/systemd/journal/socket"

// isJournal says whether a file is the stream that the environment says leads to journald: else
// somebody has redirected it, and wants to see the lines there.
func isJournal(f *os.File, stream string) bool {
	var dev, inode uint64
	if _, err := fmt.Sscanf(stream, "%d:%d", &dev, &inode); err != nil {
		return false
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var st unix.Stat_t
	if raw.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &st) }) != nil || err != nil {
		return false
	}
	return st.Dev == dev && st.Ino == inode
}

// journal is the socket of journald. Safe for use by many goroutines.
type journal struct{ conn *net.UnixConn }

func openJournal(path string) (*journal, error) {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	return &journal{conn}, nil
}

// journalHandler writes each record as an entry of the journal, its attributes as fields. What
// journald doesn't take (it is away, the entry is too long for a datagram) goes to fallback.
type journalHandler struct {
	journal  *journal
	level    slog.Level
	fallback slog.Handler
	role     string
	fields   []journalField
	attrs    []slog.Attr
}

func (h *journalHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	attrs := append([]slog.Attr(nil), h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		if !isOwnRole(a, h.role) {
			attrs = append(attrs, a)
		}
		return true
	})
	entry := appendField(nil, journalField{"MESSAGE", messageOf(r.Message, attrs)})
	entry = appendField(entry, journalField{"PRIORITY", priority(r.Level)})
	for _, f := range h.fields {
		entry = appendField(entry, f)
	}
	for _, a := range attrs {
		entry = appendField(entry, journalField{fieldName(a.Key), a.Value.Resolve().String()})
	}
	if _, err := h.journal.conn.Write(entry); err == nil {
		return nil
	}
	return h.fallback.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *h
	n.attrs = append(append([]slog.Attr(nil), h.attrs...), attrs...)
	n.fallback = h.fallback.WithAttrs(attrs)
	return &n
}

// WithGroup implements slog.Handler. The project's logs have no groups: keys stay as they are.
func (h *journalHandler) WithGroup(string) slog.Handler { return h }

// priority is that of syslog.
func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "3"
	case l >= slog.LevelWarn:
		return "4"
	case l >= slog.LevelInfo:
		return "6"
	}
	return "7"
}

// messageOf is the line that journalctl shows: the message and its attributes.
func messageOf(msg string, attrs []slog.Attr) string {
	var b strings.Builder
	b.WriteString(msg)
	for _, a := range attrs {
		v := a.Value.Resolve().String()
		if v == "" || strings.ContainsAny(v, " =\"\n\t") {
			v = fmt.Sprintf("%q", v)
		}
		fmt.Fprintf(&b, " %s=%s", a.Key, v)
	}
	return b.String()
}
