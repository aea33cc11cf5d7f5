package filed

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"archipelago/peers/blocker"
)

// TestReplacedByAnotherNode: two stores on one directory, as two nodes have them. What one puts in
// the place of an object, the other one sees with its next stat.
func TestReplacedByAnotherNode(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "o"), 0o755); err != nil {
		t.Fatal(err)
	}
	open := func(owner string) *Store {
		s, err := Open(Options{Dir: filepath.Join(dir, "o"), Owner: owner})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	a, b := open("a"), open("b")
	put := func(s *Store, kind blocker.Kind, text string) {
		t.Helper()
		if err := blocker.Do(s, &blocker.Op{Kind: kind, Name: "v/x", Data: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	see := func(s *Store, want string) {
		t.Helper()
		stat := blocker.Op{Kind: blocker.Stat, Name: "v/x"}
		if err := blocker.Do(s, &stat); err != nil {
			t.Fatal(err)
		}
		read := blocker.Op{Kind: blocker.Read, Name: "v/x", Data: make([]byte, stat.N)}
		if err := blocker.Do(s, &read); err != nil || !bytes.Equal(read.Data, []byte(want)) {
			t.Fatalf("%q, %v, want %q", read.Data, err, want)
		}
	}
	put(a, blocker.Create, "first")
	see(b, "first")
	put(a, blocker.Replace, "second one")
	see(b, "second one")
	put(b, blocker.Replace, "third")
	see(a, "third")
	if err := blocker.Do(a, &blocker.Op{Kind: blocker.Delete, Name: "v/x"}); err != nil {
		t.Fatal(err)
	}
	if err := blocker.Do(b, &blocker.Op{Kind: blocker.Stat, Name: "v/x"}); blocker.Errno(err) != blocker.Errno(blocker.ErrNotFound) {
		t.Fatalf("an object that is gone: %v", err)
	}
}
