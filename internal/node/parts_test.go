package node

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"archipelago/internal/config"
)

func dirConfig(t *testing.T) *config.Config {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir()[:4]) // "/tmp"
	cfg, err := config.ForDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestBackoff(t *testing.T) {
	var b backoff
	for i, c := range []struct {
		served, want time.Duration
		killed       bool
	}{
		{time.Hour, 0, false},
		{time.Millisecond, 10 * time.Millisecond, false},
		{0, 20 * time.Millisecond, false},
		{0, 40 * time.Millisecond, true},
		{servedWell, 0, false},
		{0, 10 * time.Millisecond, false},
		{time.Millisecond, 20 * time.Millisecond, true},
		{time.Millisecond, 40 * time.Millisecond, true},
		{time.Millisecond, 50 * time.Millisecond, true},
		{time.Millisecond, 50 * time.Millisecond, true},
	} {
		if got := b.next(c.served, c.killed); got != c.want {
			t.Errorf("step %d: %v, want %v", i, got, c.want)
		}
	}
	for range 20 {
		b.next(0, true)
	}
	if got := b.next(0, true); got != time.Second {
		t.Errorf("at most %v", got)
	}
}

func TestLockHasOneHolder(t *testing.T) {
	cfg := dirConfig(t)
	if pid := holder(cfg); pid != 0 {
		t.Errorf("holder %d before", pid)
	}
	l, err := takeLock(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = takeLock(cfg)
	e, ok := errors.AsType[*LockedError](err)
	if !ok || e.PID != os.Getpid() || e.ExitCode() != 12 || !strings.Contains(err.Error(), cfg.Dir) {
		t.Errorf("second lock: %v", err)
	}
	if pid := holder(cfg); pid != os.Getpid() {
		t.Errorf("holder %d", pid)
	}
	if err := l.release(); err != nil {
		t.Fatal(err)
	}
	if pid := holder(cfg); pid != 0 {
		t.Errorf("holder %d afterwards", pid)
	}
	if l, err = takeLock(cfg); err != nil {
		t.Fatal(err)
	}
	l.release()
}

// TestTransientLock: the lock file of a configuration file's node goes with the lock.
func TestTransientLock(t *testing.T) {
	cfg := dirConfig(t)
	cfg.Dir = ""
	path, _ := lockPath(cfg)
	l, err := takeLock(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", path, err)
	}
}

func TestLayOut(t *testing.T) {
	cfg := dirConfig(t)
	for range 2 {
		if err := layOut(cfg); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(cfg.Dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if err != nil || strings.Join(names, " ") != "blocks locks maps" {
		t.Errorf("%v %v", names, err)
	}
}

func TestMakeDirErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                         "is not a directory",
		filepath.Join(dir, "a/b"):    "no such file or directory",
		"/proc/sys/node-of-a-test":   "/proc/sys/node-of-a-test",
		filepath.Join(file, "under"): "not a directory",
	} {
		if err := MakeDir(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := MakeDir(filepath.Join(dir, "new")); err != nil {
		t.Error(err)
	}
}

func TestUnwritable(t *testing.T) {
	if err := unwritable("/x", &os.PathError{Op: "mkdir", Path: "/x", Err: os.ErrPermission}); !strings.Contains(err.Error(), "/x is not writable") {
		t.Error(err)
	}
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := MakeDir(dir); err == nil || !strings.Contains(err.Error(), "is not writable") {
		t.Error(err)
	}
}

// TestRuntimeDirOfSomebodyElse: in /tmp anybody may have made the directory before, to read along.
func TestRuntimeDirOfSomebodyElse(t *testing.T) {
	cfg := dirConfig(t)
	base := t.TempDir()
	cfg.RuntimeDir = filepath.Join(base, "run")
	if err := os.Symlink(t.TempDir(), cfg.RuntimeDir); err != nil {
		t.Fatal(err)
	}
	if err := makeRuntimeDir(cfg); err == nil || !strings.Contains(err.Error(), "is not a directory of user") {
		t.Errorf("symbolic link: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	cfg.RuntimeDir = filepath.Join(base, "other")
	if err := errors.Join(os.Mkdir(cfg.RuntimeDir, 0o700), os.Chown(cfg.RuntimeDir, 12345, -1)); err != nil {
		t.Fatal(err)
	}
	if err := makeRuntimeDir(cfg); err == nil {
		t.Error("a directory of somebody else was taken")
	}
}

func TestPrefixer(t *testing.T) {
	var out bytes.Buffer
	s := newLogSink(&out)
	p := &prefixer{sink: s, prefix: "role=x "}
	for _, part := range []string{"a", "b\ncd\n", "\n", "e", strings.Repeat("f", maxLogLine)} {
		if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	p.Write([]byte("tail"))
	p.flush()
	s.close()
	want := "role=x ab\nrole=x cd\nrole=x e" + strings.Repeat("f", maxLogLine) + "\nrole=x tail\n"
	if out.String() != want {
		t.Errorf("%.100q", out.String())
	}
}

// TestSlowLog: a log that nobody reads blocks nobody; what was dropped is counted.
func TestSlowLog(t *testing.T) {
	r, w := io.Pipe()
	s := newLogSink(w)
	for range logQueue + 100 {
		s.put([]byte("line\n"))
	}
	var got bytes.Buffer
	done := make(chan struct{})
	go func() { io.Copy(&got, r); close(done) }()
	s.close()
	w.Close()
	<-done
	if !strings.Contains(got.String(), `msg="log lines were dropped" count=`) {
		t.Error("the loss wasn't told")
	}
	s.put([]byte("late\n")) // must not panic
}

func TestPeerEnv(t *testing.T) {
	t.Setenv("LISTEN_PID", "1")
	t.Setenv("NOTIFY_SOCKET", "/other")
	t.Setenv(config.EnvDir, "/dir")
	env := "\n" + strings.Join(peerEnv("/n", time.Second), "\n") + "\n"
	for _, e := range []string{"\nNOTIFY_SOCKET=/n\n", "\nWATCHDOG_USEC=1000000\n"} {
		if !strings.Contains(env, e) {
			t.Errorf("no %q", e)
		}
	}
	for _, e := range []string{"LISTEN_PID", "/other", config.EnvDir} {
		if strings.Contains(env, e) {
			t.Errorf("%q was passed on", e)
		}
	}
}

// TestURI: the socket's path comes back out of the URI, whatever is in it.
func TestURI(t *testing.T) {
	for _, path := range []string{"/run/a/nbd.sock", "/tmp/a b&c=d+e%f?g#h;i/nbd.sock"} {
		s := &supervisor{cfg: &config.Config{Roles: []config.Role{{Name: "nbdd", Type: config.TypeNBD, Socket: path}}}}
		u, err := url.Parse(s.uri())
		if err != nil || u.Scheme != "nbd+unix" || u.Query().Get("socket") != path {
			t.Errorf("%s: %s, %v", path, s.uri(), err)
		}
	}
	if uri := (&supervisor{cfg: &config.Config{}}).uri(); uri != "" {
		t.Errorf("no role, but %s", uri)
	}
}

// TestClearPending: what a clean stop leaves goes; a log stays, with what it belongs to.
func TestClearPending(t *testing.T) {
	cfg := dirConfig(t)
	cfg.PendingDir = filepath.Join(t.TempDir(), "pending")
	if err := clearPending(cfg); err != nil {
		t.Error(err)
	}
	for _, files := range [][]string{{"node.x"}, {"node.x", "some.log"}, {}} {
		if err := os.MkdirAll(cfg.PendingDir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(cfg.PendingDir, f), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := clearPending(cfg); err != nil {
			t.Error(err)
		}
		left, _ := os.ReadDir(cfg.PendingDir)
		if want := len(files) / 2 * 2; len(left) != want {
			t.Errorf("%v: %d left, want %d", files, len(left), want)
		}
		os.RemoveAll(cfg.PendingDir)
	}
}
