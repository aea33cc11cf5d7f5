package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goreleaser/nfpm/v2/files"
)

// put writes a file below dir.
func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCompressedFilesAreEqual(t *testing.T) {
	var packed [2][]byte
	for i := range packed {
		path := put(t, t.TempDir(), "page.1", "the same text")
		if err := os.Chtimes(path, time.Time{}, time.Unix(int64(i), 0)); err != nil {
			t.Fatal(err)
		}
		if err := compress(path); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("the plain file is still there")
		}
		packed[i], _ = os.ReadFile(path + ".gz")
	}
	if len(packed[0]) == 0 || string(packed[0]) != string(packed[1]) {
		t.Errorf("% x\n% x", packed[0], packed[1])
	}
}

// TestContents: modes and times come from what a file is, never from the stage directory.
func TestContents(t *testing.T) {
	stage := t.TempDir()
	put(t, stage, "usr/bin/vlmc", "")
	put(t, stage, "usr/share/doc/x", "")
	put(t, stage, "etc/archipelago/archipelago.conf", "")
	if err := os.Symlink("x", filepath.Join(stage, "usr/share/doc/y")); err != nil {
		t.Fatal(err)
	}
	when := time.Unix(1, 0)
	list, err := (&build{when: when}).contents(stage)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		kind string
		mode os.FileMode
	}{
		"/usr/bin/vlmc":                     {"", 0o755},
		"/usr/share/doc/x":                  {"", 0o644},
		"/usr/share/doc/y":                  {files.TypeSymlink, 0o644},
		"/etc/archipelago/archipelago.conf": {files.TypeConfig, 0o644},
	}
	for _, c := range list {
		w, ok := want[c.Destination]
		if !ok || c.Type != w.kind || c.FileInfo.Mode != w.mode || !c.FileInfo.MTime.Equal(when) {
			t.Errorf("%s: type %q, %+v", c.Destination, c.Type, c.FileInfo)
		}
		delete(want, c.Destination)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestSourceDateIsNeeded(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "")
	if _, err := sourceDate(); err == nil {
		t.Error("times of this machine would get into the packages")
	}
	t.Setenv("SOURCE_DATE_EPOCH", "60")
	if when, err := sourceDate(); err != nil || !when.Equal(time.Unix(60, 0)) {
		t.Error(when, err)
	}
}
