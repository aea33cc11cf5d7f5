package nbdd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListenAt(t *testing.T) {
	dir, err := os.MkdirTemp("", "archip-nbdd-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	first, err := listenAt(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if _, err := listenAt(path); err == nil || !strings.Contains(err.Error(), "somebody listens") {
		t.Errorf("a second listener: %v", err)
	}
	// As after a kill: the file stays, nobody listens.
	first.SetUnlinkOnClose(false)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := listenAt(path)
	if err != nil {
		t.Fatalf("a socket that was left behind is in the way: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenAt(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file in the way: %v", err)
	}
	long := filepath.Join(dir, strings.Repeat("x", 107))
	if _, err := listenAt(long); err == nil || !strings.Contains(err.Error(), "107") {
		t.Errorf("a long path: %v", err)
	}
}

func TestInherited(t *testing.T) {
	env := func(vars map[string]string) func(string) (string, bool) {
		return func(name string) (string, bool) {
			v, ok := vars[name]
			return v, ok
		}
	}
	for _, c := range []struct {
		vars map[string]string
		err  string // "" = nothing is inherited
	}{
		{nil, ""},
		{map[string]string{"LISTEN_FDS": "1", "LISTEN_PID": "1"}, ""},
		{map[string]string{"LISTEN_FDS": "2"}, "one listening socket"},
		{map[string]string{"LISTEN_FDS": "x", "LISTEN_PID": fmt.Sprint(os.Getpid())}, "one listening socket"},
	} {
		ln, err := inherited(env(c.vars))
		if ln != nil || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v: %v, %v", c.vars, ln, err)
		}
	}
}

// TestPassedSocket takes over a listening socket as it comes from a supervisor.
func TestPassedSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "archip-nbdd-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	outer, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	f, err := outer.File()
	if err != nil {
		t.Fatal(err)
	}
	inner, err := adopt(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := inner.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "s")); err != nil {
		t.Errorf("the socket of the supervisor went with the peer: %v", err)
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := adopt(file); err == nil {
		t.Error("a file was taken for a socket")
	}
}
