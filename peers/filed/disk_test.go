package filed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// kill ends a store as the kernel ends a process: nothing is cleaned up.
func kill(s *Store) {
	s.closed.Store(true)
	s.closeFiles()
	s.pool.close()
	if s.track != nil {
		s.track.abandon()
	}
}

func reopen(t *testing.T, s *Store) *Store {
	t.Helper()
	opts := Options{Dir: s.disk.dir, LockDir: s.locks.disk.dir, Direct: s.direct, WriteThrough: s.writethrough}
	if s.track != nil {
		opts.Track = s.track.path
	}
	again, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	return again
}

// TestLeftovers: what a killed store was writing is gone when the next one has opened, and what it
// had finished is there.
func TestLeftovers(t *testing.T) {
	s := open(t, nil)
	do(t, s, &blocker.Op{Kind: blocker.Create, Name: "v/x", Data: []byte("1")})
	do(t, s, &blocker.Op{Kind: blocker.LockAdvance, Name: "l/x", Data: []byte("me")})
	tr := watch(s)
	tr.on(func(call, _ string) error {
		if call == "link" || call == "rename" || call == "unlink" {
			return unix.EIO // as if it had been killed here
		}
		return nil
	})
	_ = blocker.Do(s, &blocker.Op{Kind: blocker.Create, Name: "v/y", Data: []byte("2")})
	_ = blocker.Do(s, &blocker.Op{Kind: blocker.LockAdvance, Name: "l/y", Data: []byte("me")})
	temps := func() (left []string) {
		for _, dir := range []string{s.disk.dir, s.locks.disk.dir} {
			found, _ := filepath.Glob(filepath.Join(dir, tempDir, "*", "*"))
			left = append(left, found...)
		}
		return left
	}
	if len(temps()) != 2 {
		t.Fatalf("the test has left %q", temps())
	}
	kill(s)
	again := reopen(t, s)
	if left := temps(); len(left) != 0 {
		t.Errorf("temporary files are left: %q", left)
	}
	if got := do(t, again, &blocker.Op{Kind: blocker.Read, Name: "v/x", Data: make([]byte, 1)}); string(got.Data) != "1" {
		t.Errorf("read %q", got.Data)
	}
	if got := do(t, again, &blocker.Op{Kind: blocker.LockRead, Name: "l/x", Data: make([]byte, 9)}); got.Generation != 1 {
		t.Errorf("lock is at %d", got.Generation)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for _, opts := range []Options{{Dir: missing}, {Dir: file}, {Dir: dir, LockDir: missing}} {
		_, err := Open(opts)
		bad := opts.Dir
		if opts.LockDir != "" {
			bad = opts.LockDir
		}
		if !errors.Is(err, ErrDirectory) || !strings.Contains(err.Error(), bad) {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	s := open(t, nil)
	_, err := Open(Options{Dir: s.disk.dir, LockDir: t.TempDir()})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), s.disk.dir) {
		t.Errorf("opened twice: %v", err)
	}
	other, err := Open(Options{Dir: s.disk.dir, LockDir: s.locks.disk.dir, Owner: "other"})
	if err != nil {
		t.Fatalf("another owner: %v", err)
	}
	other.Close()
}

// TestNotWritable runs as a user who may not write; root may always.
func TestNotWritable(t *testing.T) {
	if dir := os.Getenv("FILED_TEST_DIR"); dir != "" {
		_, err := Open(Options{Dir: dir})
		fmt.Println(err)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "exe") // the test binary's own directory is root's alone
	if err := os.WriteFile(copied, exe, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copied, "-test.run=TestNotWritable")
	cmd.Dir, cmd.Env = "/", []string{"FILED_TEST_DIR=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{dir, "unusable directory", "belongs to 0:0", "runs as 65534:65534"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
}

// TestShards: List looks through shards, and foreign files aren't listed.
func TestShards(t *testing.T) {
	s := open(t, nil)
	var want []string
	for i := range 300 {
		name := fmt.Sprintf("v/vol%03d", i)
		want = append(want, name)
		put(t, s, name, "1")
	}
	shards, _ := filepath.Glob(filepath.Join(s.disk.dir, "v", "*"))
	if len(shards) < 100 {
		t.Errorf("300 volumes lie in %d directories", len(shards))
	}
	for _, foreign := range []string{"lost+found/x", "v/.swp", "has space", ".hidden/x"} {
		path := filepath.Join(s.disk.dir, foreign)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	op := do(t, s, &blocker.Op{Kind: blocker.List, Data: make([]byte, 1<<16)})
	var got []string
	if err := blocker.Names(op.Data[:op.N], func(n string) error { got = append(got, n); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %d names: %q", len(got), got)
	}
}

// TestPhysical: part of the format on disk.
func TestPhysical(t *testing.T) {
	const uuid = "0b5c1d7e-0000-4000-8000-000000000001"
	for name, want := range map[string]string{
		"h/store":            "h/store",
		"x":                  "x",
		"v/vol1":             "v/=26/vol1",
		uuid + "/3/1.2":      "=a2/" + uuid + "/3/1.2",
		"c/" + uuid + "/1/2": "c/=a2/" + uuid + "/1/2",
		"l/" + uuid:          "l/=a2/" + uuid,
		"t/" + uuid + ".1":   "t/=47/" + uuid + ".1",
	} {
		if got := physical(name); got != want {
			t.Errorf("%s lies at %s, want %s", name, got, want)
		}
	}
}

// TestPrune: the directories of a volume go with its last object; the layout's own stay.
func TestPrune(t *testing.T) {
	s := open(t, nil)
	const uuid = "0b5c1d7e-0000-4000-8000-000000000001"
	for _, name := range []string{uuid + "/0/1.1.00000000000000aa", uuid + "/0/2.1.00000000000000aa", "c/" + uuid + "/1/0", "v/x"} {
		put(t, s, name, "1")
	}
	left := func() (dirs []string) {
		_ = filepath.WalkDir(s.disk.dir, func(path string, e os.DirEntry, _ error) error {
			if e.IsDir() && strings.Contains(path, uuid) {
				dirs = append(dirs, path)
			}
			return nil
		})
		return dirs
	}
	do(t, s, &blocker.Op{Kind: blocker.Delete, Name: uuid + "/0/1.1.00000000000000aa"})
	if len(left()) != 4 {
		t.Errorf("directories in use: %q", left())
	}
	do(t, s, &blocker.Op{Kind: blocker.Delete, Name: uuid + "/0/2.1.00000000000000aa", Flags: blocker.FlagFUA})
	do(t, s, &blocker.Op{Kind: blocker.Delete, Name: "c/" + uuid + "/1/0"})
	do(t, s, &blocker.Op{Kind: blocker.Delete, Name: "v/x"})
	if len(left()) != 0 {
		t.Errorf("directories left: %q", left())
	}
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	if shards, _ := filepath.Glob(filepath.Join(s.disk.dir, "v", "=*")); len(shards) != 1 {
		t.Errorf("shards of v: %q", shards)
	}
	for dir := range s.dirs.dirs {
		if strings.Contains(dir, uuid) {
			t.Errorf("%s is gone and still marked", dir)
		}
	}
}

// TestNoAllocation: a cached read or write allocates nothing.
func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := open(t, nil)
	put(t, s, "x", "1")
	done := make(chan struct{}, 1)
	for _, kind := range []blocker.Kind{blocker.Write, blocker.Read} {
		op := &blocker.Op{Kind: kind, Name: "x", Data: make([]byte, 4096), Done: func(*blocker.Op) { done <- struct{}{} }}
		if n := testing.AllocsPerRun(500, func() { s.Submit(op); <-done }); n >= 1 {
			t.Errorf("kind %d: %.1f allocations", kind, n)
		}
	}
}
