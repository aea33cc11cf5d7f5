package main

import (
	"bytes"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	includeDir = "../../include"
	mirrorDir  = "../abi"
	outFile    = "zlayout_linux.go"
)

func needCompiler(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath(compiler()); err != nil {
		t.Skipf("no C compiler to read abi.h with: %v", err)
	}
}

func TestUpToDate(t *testing.T) {
	needCompiler(t)
	want, err := generate(includeDir, mirrorDir, outFile)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(mirrorDir, outFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date: run `go generate ./xseg/internal/abi`", outFile)
	}
}

func TestNames(t *testing.T) {
	for c, want := range map[string]string{
		"XSEG_OP_READ":         "OpRead",
		"XSEG_OP_WRITE_ZEROES": "OpWriteZeroes",
		"XSEG_MAX_SLOTS":       "MaxSlots",
		"XSEG_ABI_VERSION":     "Version",
	} {
		if got := constName(c); got != want {
			t.Errorf("%s became %s, not %s", c, got, want)
		}
	}
	if got := typeName("xseg_channel_header"); got != "ChannelHeader" {
		t.Errorf("xseg_channel_header became %s", got)
	}
}

// TestMismatch changes the header behind the back of the mirror: the mirror must not compile then.
func TestMismatch(t *testing.T) {
	needCompiler(t)
	for _, c := range []struct{ name, old, new, says string }{
		{"unchanged", "", "", ""},
		{"wider field", "__u32 src_port;", "__u64 src_port;", "SrcPort"},
		{"narrower field", "__u64 src_incarnation;", "__u32 src_incarnation;", "SrcIncarnation"},
		{"padding", "__u8 pad1[40];", "__u8 pad1[48];", "Pad1"},
		{"swapped fields", "__u64 ports_offset;\n\t__u64 waiters_offset;",
			"__u64 waiters_offset;\n\t__u64 ports_offset;", "PortsOffset"},
		{"constant by hand", "XSEG_ABI_VERSION = 2", "XSEG_ABI_VERSION = 3", "overflows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			include := changedHeader(t, c.old, c.new)
			text, err := generate(include, mirrorDir, outFile)
			if err != nil {
				t.Fatal(err)
			}
			errs := typeErrors(t, text)
			if c.says == "" {
				if errs != "" {
					t.Errorf("does not compile:\n%s", errs)
				}
			} else if !strings.Contains(errs, c.says) {
				t.Errorf("no compile error says %s:\n%s", c.says, errs)
			}
		})
	}
}

// changedHeader is a copy of the header with a change and without its own checks.
func changedHeader(t *testing.T, old, new string) string {
	text, err := os.ReadFile(filepath.Join(includeDir, "xseg", "abi.h"))
	if err != nil {
		t.Fatal(err)
	}
	h := string(text)
	if !strings.Contains(h, old) {
		t.Fatalf("abi.h has no %q", old)
	}
	h = strings.Replace(h, old, new, 1)
	var kept []string
	for line := range strings.Lines(h) {
		if !strings.HasPrefix(line, "XSEG_CHECK") {
			kept = append(kept, line)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "xseg"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "xseg", "abi.h")
	if err := os.WriteFile(path, []byte(strings.Join(kept, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// typeErrors compiles the hand-written files of the mirror with another generated one.
func typeErrors(t *testing.T, generated []byte) string {
	fset := token.NewFileSet()
	var files []*ast.File
	paths, err := filepath.Glob(filepath.Join(mirrorDir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		var src any
		if filepath.Base(path) == outFile {
			src = generated
		} else if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, path, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	var errs strings.Builder
	conf := types.Config{
		Importer: importer.ForCompiler(fset, "source", nil),
		Sizes:    types.SizesFor("gc", "amd64"),
		Error:    func(err error) { errs.WriteString(err.Error() + "\n") },
	}
	conf.Check("abi", fset, files, nil) // every error has gone to conf.Error
	return errs.String()
}
