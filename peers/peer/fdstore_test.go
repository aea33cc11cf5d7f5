package peer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestStoreWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := StoreFDs("x", 0); !errors.Is(err, ErrNoStore) {
		t.Errorf("store: %v", err)
	}
	if err := RemoveFDs("x"); !errors.Is(err, ErrNoStore) {
		t.Errorf("remove: %v", err)
	}
	for _, name := range []string{"", "a:b", "a\nb", "ä", strings.Repeat("x", 256)} {
		if err := StoreFDs(name, 0); err == nil || errors.Is(err, ErrNoStore) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func TestPassedNames(t *testing.T) {
	me := strconv.Itoa(os.Getpid())
	for _, c := range []struct{ fds, names, pid, want string }{
		{"2", "nbd:conn", "", "[nbd conn]"},
		{"2", "nbd:conn", me, "[nbd conn]"},
		{"2", "nbd:conn", me + "1", "[]"},
		{"3", "nbd", me, "[nbd unknown unknown]"},
		{"1", "", "", "[unknown]"},
		{"", "nbd", "", "[]"},
		{"-1", "nbd", "", "[]"},
		{"99999999999", "nbd", "", "[]"},
	} {
		env := map[string]string{"LISTEN_FDS": c.fds, "LISTEN_FDNAMES": c.names, "LISTEN_PID": c.pid}
		if got := fmt.Sprint(passedNames(func(k string) string { return env[k] })); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func FuzzPassedNames(f *testing.F) {
	f.Add("2", "a:b")
	f.Add("1000", "::")
	f.Fuzz(func(t *testing.T, fds, names string) {
		env := map[string]string{"LISTEN_FDS": fds, "LISTEN_FDNAMES": names}
		for _, name := range passedNames(func(k string) string { return env[k] }) {
			if name == "" || strings.Contains(name, ":") {
				t.Errorf("name %q", name)
			}
		}
	})
}
