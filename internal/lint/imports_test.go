package lint

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "archipelago/"

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath   string
	Dir          string
	Doc          string
	Name         string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// law says which packages of the project a folder may import, beside its own subfolders. The
// longest matching folder counts. "*" = anything.
var law = map[string][]string{
	"cmd":                      {"*"},
	"test":                     {"*"},
	"xseg":                     {},
	"xseg/internal":            {},
	"xseg/xsegtest":            {"xseg"},
	"peers/blocker":            {},
	"peers/blocker/remote":     {"peers/blocker", "xseg"},
	"peers/mapper":             {"internal/mapfmt"},
	"peers/mapper/remote":      {"peers/mapper", "internal/mapfmt", "xseg"},
	"peers/peer":               {"xseg", "internal/config"},
	"peers":                    {"peers/peer", "peers/blocker", "peers/mapper", "xseg", "internal/config", "internal/mapfmt", "internal/volume", "internal/nbd"},
	"internal/mapfmt":          {},
	"internal/audit":           {"internal/mapfmt", "peers/blocker"},
	"internal/config":          {},
	"internal/volume":          {"xseg", "internal/config", "internal/mapfmt", "internal/audit", "peers/mapper", "peers/blocker"},
	"internal/nbd":             {},
	"internal/nbd/client":      {"internal/nbd"},
	"internal/node":            {"internal/config", "xseg", "peers"},
	"internal/version":         {},
	"internal/cli/gen":         {"internal/cli", "internal/config", "internal/version"},
	"internal/cli":             {"peers/peer", "internal/version", "internal/device", "internal/config", "internal/node", "internal/volume", "internal/mapfmt", "internal/nbd", "xseg", "peers/mapper"},
	"internal/device":          {"internal/config", "internal/mapfmt", "internal/nbd", "peers/mapper", "xseg"},
	"internal/lint":            {},
	"internal/stats":           {"xseg"},
	"internal/doctor":          {"internal/config", "internal/node", "internal/stats", "internal/version", "internal/mapfmt", "xseg"},
	"internal/metrics":         {"internal/stats", "internal/config", "internal/version", "xseg"},
	"internal/cli/screen":      {"internal/stats"},
	"internal/cli/top":         {"internal/stats", "internal/cli/screen"},
	"internal/systemd":         {},
	"xseg/internal/abigen":     {},
	"internal/cli/vlmc":        {"internal/cli", "internal/systemd", "internal/device", "internal/config", "internal/volume", "internal/mapfmt", "internal/audit", "xseg", "peers/mapper"},
	"internal/cli/xseg":        {"internal/cli", "internal/config", "internal/stats", "xseg"},
	"internal/cli/archipelago": {"internal/cli", "internal/stats", "internal/metrics", "internal/doctor", "internal/systemd", "internal/device", "internal/config", "internal/node", "internal/volume", "internal/mapfmt", "xseg", "peers/mapper"},
}

// thirdParty says which folders may use which module beside tests.
var thirdParty = map[string][]string{
	"golang.org/x/sys":          {"*"},
	"github.com/spf13/cobra":    {"internal/cli", "cmd"},
	"github.com/spf13/pflag":    {"internal/cli", "cmd"},
	"go.starlark.net":           {"internal/config"},
	"github.com/prometheus":     {"internal/metrics"},
	"github.com/godbus/dbus/v5": {"internal/systemd"},
	"github.com/hanwen/go-fuse": {"peers/fused"},
}

// testOnly are modules that any test may use and no product code.
var testOnly = []string{
	"pgregory.net/rapid", "github.com/rogpeppe/go-internal", "go.uber.org/goleak",
	"github.com/google/go-cmp", "github.com/cockroachdb/datadriven", "github.com/anishathalye/porcupine",
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// within reports whether path is folder or lies below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// rule returns the longest folder of the law that covers path.
func rule(path string) (string, bool) {
	best, found := "", false
	for folder := range law {
		if within(path, folder) && (!found || len(folder) > len(best)) {
			best, found = folder, true
		}
	}
	return best, found
}

func allowed(path, imported string) bool {
	folder, ok := rule(path)
	if !ok {
		return false
	}
	if within(imported, folder) && !isPeer(path) {
		return true
	}
	if isPeer(path) && peerOf(path) == peerOf(imported) {
		return true
	}
	for _, a := range law[folder] {
		if a == "*" || within(imported, a) {
			return true
		}
	}
	return false
}

// isPeer says whether path belongs to a daemon: daemons never import each other.
func isPeer(path string) bool {
	folder, ok := rule(path)
	return ok && folder == "peers"
}

func peerOf(path string) string {
	parts := strings.SplitN(path, "/", 3)
	if len(parts) < 2 || parts[0] != "peers" {
		return ""
	}
	return parts[1]
}

func TestImportLaw(t *testing.T) {
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		if _, ok := rule(path); !ok {
			t.Errorf("%s: no import law for this folder", path)
			continue
		}
		for _, imp := range p.Imports {
			if inner, ours := strings.CutPrefix(imp, module); ours && !allowed(path, inner) {
				t.Errorf("%s must not import %s", path, inner)
			}
		}
	}
}

func TestThirdParty(t *testing.T) {
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			first, _, _ := strings.Cut(imp, "/")
			if strings.Contains(first, ".") && !thirdPartyAllowed(path, imp) {
				t.Errorf("%s must not import %s", path, imp)
			}
		}
	}
}

func thirdPartyAllowed(path, imp string) bool {
	for mod, folders := range thirdParty {
		if within(imp, mod) {
			return slices.ContainsFunc(folders, func(f string) bool { return f == "*" || within(path, f) })
		}
	}
	testFolder := within(path, "test") || strings.HasSuffix(path, "test")
	return testFolder && slices.ContainsFunc(testOnly, func(m string) bool { return within(imp, m) })
}

// TestLawSeesViolations keeps the checks above from passing because they see nothing.
func TestLawSeesViolations(t *testing.T) {
	for _, c := range []struct {
		path, imp string
		ok        bool
	}{
		{"peers/vlmcd", "peers/mapperd", false},
		{"peers/vlmcd", "peers/mapper/remote", true},
		{"peers/filed", "peers/filed/inner", true},
		{"xseg", "peers/peer", false},
		{"xseg", "xseg/internal/abi", true},
		{"internal/mapfmt", "xseg", false},
		{"cmd/vlmc", "peers/filed", true},
	} {
		if got := allowed(c.path, c.imp); got != c.ok {
			t.Errorf("allowed(%s, %s) = %v", c.path, c.imp, got)
		}
	}
	if thirdPartyAllowed("xseg", "github.com/spf13/cobra") || thirdPartyAllowed("peers/filed", "pgregory.net/rapid") {
		t.Error("third-party check allows everything")
	}
}
