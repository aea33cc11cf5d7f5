package kill

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"archipelago/test/testnode"
)

// change is a replacement in a copy of a source file: the product has no switch for any of this.
type change struct{ file, old, bad string }

// troubled are the changes that put a store under trouble.go's rules.
var troubled = []change{
	{"peers/filed/run.go", "handler = remote.Serve(store)", "handler = remote.Serve(trouble(store, p.Role.Name))"},
	{"peers/filed/trouble.go", "", ""},
}

// faulty builds the named commands with changes into a directory, with all the others as they are.
func faulty(t *testing.T, bin string, changes []change, commands ...string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	good := filepath.Dir(testnode.Binary(t, "archipelago"))
	entries, err := os.ReadDir(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "archipelago" {
			continue
		}
		if err := os.Symlink(filepath.Join(good, e.Name()), filepath.Join(bin, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	// Not as a link: it looks for the others beside itself, wherever that really is.
	copyFile(t, filepath.Join(good, "archipelago"), filepath.Join(bin, "archipelago"))
	overlay := writeOverlay(t, root, changes)
	for _, name := range commands {
		path := filepath.Join(bin, name)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "build", "-overlay", overlay, "-o", path, "./cmd/"+name)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
}

// writeOverlay writes the changed files and the table that go build takes.
func writeOverlay(t *testing.T, root string, changes []change) string {
	t.Helper()
	dir := testnode.TempDir(t)
	sources, replace := map[string]string{}, map[string]string{}
	for _, c := range changes {
		path := filepath.Join(root, c.file)
		if c.old == "" { // a file that is added
			text, err := os.ReadFile(filepath.Join("testdata", filepath.Base(c.file)+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			sources[path] = string(text)
			continue
		}
		if sources[path] == "" {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sources[path] = string(text)
		}
		if n := strings.Count(sources[path], c.old); n != 1 {
			t.Fatalf("%s has %d times: %s", c.file, n, c.old)
		}
		sources[path] = strings.Replace(sources[path], c.old, c.bad, 1)
	}
	for path, text := range sources {
		changed := filepath.Join(dir, strings.ReplaceAll(strings.TrimPrefix(path, root+"/"), "/", "-"))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[path] = changed
	}
	table, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, table, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o755)
	if err == nil {
		_, err = io.Copy(out, in)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
