package peer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// decodeEntry reads an entry as journald does.
func decodeEntry(b []byte) (map[string]string, error) {
	fields := map[string]string{}
	for len(b) > 0 {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			return nil, errors.New("a line without an end")
		}
		if name, value, ok := bytes.Cut(line, []byte("=")); ok {
			fields[string(name)], b = string(value), rest
			continue
		}
		if len(rest) < 8 {
			return nil, io.ErrUnexpectedEOF
		}
		n := binary.LittleEndian.Uint64(rest)
		if rest = rest[8:]; n >= uint64(len(rest)) || rest[n] != '\n' {
			return nil, fmt.Errorf("field %s of %d bytes doesn't end", line, n)
		}
		fields[string(line)], b = string(rest[:n]), rest[n+1:]
	}
	return fields, nil
}

// TestJournal: a record comes out of a real socket as an entry with fields, whatever is in it, and
// what doesn't fit goes to standard error.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	server, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	defer j.conn.Close()
	var stderr bytes.Buffer
	log := slog.New(&journalHandler{journal: j, level: slog.LevelInfo,
		fallback: slog.NewTextHandler(&stderr, nil), fields: []journalField{{"ARCHIPELAGO_ROLE", "vlmcd"}}})
	log.Debug("not this")
	log.With("volume", "v1").Warn("store error", "object", "a\nPRIORITY=0\nb", "error", errors.New("no space"), "n", 7)
	buf := make([]byte, 1<<16)
	n, err := server.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeEntry(buf[:n])
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"PRIORITY": "4", "ARCHIPELAGO_ROLE": "vlmcd", "ARCHIPELAGO_VOLUME": "v1",
		"ARCHIPELAGO_OBJECT": "a\nPRIORITY=0\nb", "ARCHIPELAGO_ERROR": "no space", "ARCHIPELAGO_N": "7",
		"MESSAGE": `store error volume=v1 object="a\nPRIORITY=0\nb" error="no space" n=7`,
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	log.Info("long", "text", strings.Repeat("x", 8<<20))
	if !strings.Contains(stderr.String(), "msg=long") {
		t.Error("an entry that is too long got lost")
	}
	stderr.Reset()
	server.Close()
	log.With("volume", "v2").Error("journald is away")
	if !strings.Contains(stderr.String(), `msg="journald is away" volume=v2`) {
		t.Errorf("without journald: %q", stderr.String())
	}
}

// TestIsJournal: only the very file that JOURNAL_STREAM names.
func TestIsJournal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(w.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{
		fmt.Sprintf("%d:%d", st.Dev, st.Ino):   true,
		fmt.Sprintf("%d:%d", st.Dev, st.Ino+1): false,
		"":                                     false, "x:y": false,
	} {
		if isJournal(w, stream) != want {
			t.Errorf("%q: %v", stream, !want)
		}
	}
}

// TestLimit: equal lines stop after the limit, others don't, the loss is told, and later there is
// room again.
func TestLimit(t *testing.T) {
	var out bytes.Buffer
	l := newLimiter(slog.NewTextHandler(&out, nil))
	var timers []func()
	l.state.after = func(_ time.Duration, f func()) { timers = append(timers, f) }
	now := time.Unix(1000, 0)
	say := func(volume string, n int) {
		for i := range n {
			r := slog.NewRecord(now, slog.LevelWarn, "trouble", 0)
			r.Add("volume", volume, "offset", i)
			if err := l.Handle(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	count := func(text string) int { return strings.Count(out.String(), text) }
	say("a", limitLines+7)
	say("b", limitLines)
	if count("volume=a") != limitLines || count("volume=b") != limitLines || len(timers) != 1 {
		t.Errorf("%d and %d lines, %d timers", count("volume=a"), count("volume=b"), len(timers))
	}
	timers[0]()
	if count(`msg="log lines were dropped" count=7 of=trouble about="volume=a"`) != 1 {
		t.Errorf("the loss wasn't told: %s", out.String())
	}
	now = now.Add(limitWindow)
	out.Reset()
	say("a", 1)
	say("b", limitLines)
	if count("volume=a") != 1 || count("volume=b") != limitLines {
		t.Error("no room in a new window")
	}
	for i := range 3 * maxWindows {
		now = now.Add(limitWindow)
		say(fmt.Sprint(i), 1)
	}
	if n := len(l.state.lines); n > maxWindows {
		t.Errorf("%d windows are remembered", n)
	}
}

// TestOwnRole: who reads the line knows the role by the prefix or the field; another one is news.
func TestOwnRole(t *testing.T) {
	var out bytes.Buffer
	log := NewLog(&out, 2, "vlmcd")
	log.Info("waiting", "role", "vlmcd", "port", 500)
	log.Info("waiting", "role", "mapperd")
	if text := out.String(); strings.Contains(text, "role=vlmcd") || !strings.Contains(text, "role=mapperd") {
		t.Error(text)
	}
}

// FuzzJournalField: whatever is in a value, journald reads back that one field and no other.
func FuzzJournalField(f *testing.F) {
	f.Add("volume", "a")
	f.Add("weird key=\n", "x\nMESSAGE=forged\n")
	f.Fuzz(func(t *testing.T, key, value string) {
		name := fieldName(key)
		got, err := decodeEntry(appendField(nil, journalField{name, value}))
		if err != nil || len(got) != 1 || got[name] != value || len(name) > maxFieldName {
			t.Errorf("%q=%q: %q, %v", key, value, got, err)
		}
	})
}

// TestDebugSignal: a peer says what it uses, whatever its log level.
func TestDebugSignal(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	defer WatchDebug(NewLog(w, 1, "vlmcd"), w)()
	if err := syscall.Kill(os.Getpid(), DebugSignal); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 500)
	n, err := r.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	var pid, goroutines, files int
	_, rest, _ := strings.Cut(string(line[:n]), "msg=use ")
	if _, err := fmt.Sscanf(rest, "pid=%d goroutines=%d descriptors=%d", &pid, &goroutines, &files); err != nil ||
		pid != os.Getpid() || goroutines < 2 || files < 3 {
		t.Errorf("%s: %v", line[:n], err)
	}
}
