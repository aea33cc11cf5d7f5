package lint

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// vague are folder names that say nothing about the one job of a package.
var vague = []string{"util", "utils", "common", "helpers", "helper", "types", "base", "misc"}

func TestPackagesAreDocumentedAndNamed(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
		for part := range strings.SplitSeq(p.ImportPath, "/") {
			if slices.Contains(vague, part) {
				t.Errorf("%s: %q is no name for a folder", p.ImportPath, part)
			}
		}
	}
}

func TestUnsafeStaysApart(t *testing.T) {
	for _, file := range tracked(t, ".go") {
		if strings.HasSuffix(file, "_unsafe.go") || strings.HasSuffix(file, "_test.go") || generated(file) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), file), nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, imp := range f.Imports {
			if imp.Path.Value == `"unsafe"` {
				t.Errorf("%s imports unsafe, but is not named *_unsafe.go", file)
			}
		}
	}
}

func generated(file string) bool { return strings.HasPrefix(filepath.Base(file), "z") }

// leftovers are marks of work that isn't done, and paths that exist on one machine only.
var leftovers = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b|/wo` + `rk/|\.\./sha` + `red`)

func TestNothingLeftHalfDone(t *testing.T) {
	for _, file := range tracked(t, "") {
		text, err := os.ReadFile(filepath.Join(root(t), file))
		if err != nil || strings.IndexByte(string(text), 0) >= 0 || strings.Contains(file, "testdata/fuzz") {
			continue
		}
		if at := leftovers.FindIndex(text); at != nil {
			t.Errorf("%s:%d: %q", file, 1+strings.Count(string(text[:at[0]]), "\n"), text[at[0]:at[1]])
		}
	}
}

// tracked lists the files that git knows or would add, with the given ending.
func tracked(t *testing.T, ending string) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("not a git checkout: %v", err)
	}
	var files []string
	for file := range strings.Lines(string(out)) {
		file = strings.TrimSpace(file)
		if _, err := os.Stat(filepath.Join(root(t), file)); err == nil && strings.HasSuffix(file, ending) {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		t.Fatal("no files found: the check would pass without looking")
	}
	return files
}
