package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestForDir(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	dir := t.TempDir()
	cfg, err := ForDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^archip-[0-9a-f]{16}$`).MatchString(cfg.SegmentName) {
		t.Errorf("segment name %q", cfg.SegmentName)
	}
	if want := "/run/user/7/" + cfg.SegmentName; cfg.RuntimeDir != want {
		t.Errorf("runtime dir %q, want %q", cfg.RuntimeDir, want)
	}
	if cfg.Nodes != "single" || cfg.PendingDir != "/dev/shm/"+cfg.SegmentName+".pending" {
		t.Errorf("%+v", cfg)
	}
	got := map[string][2]any{}
	for _, r := range cfg.Roles {
		got[r.Name] = [2]any{r.Type, r.PortStart}
	}
	want := map[string][2]any{
		"blockerb": {TypeFile, 1000}, "blockerm": {TypeFile, 1002}, "mapperd": {TypeMapper, 1001},
		"vlmcd": {TypeVlmcd, 500}, "nbdd": {TypeNBD, 1030},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestForDirObeysTheRules: the built-in configuration passes every check that a file must pass.
func TestForDirObeysTheRules(t *testing.T) {
	cfg, err := ForDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("shown", []byte(cfg.Format()))
	if err != nil {
		t.Fatalf("%v\n%s", err, cfg.Format())
	}
	if diff := cmp.Diff(cfg.Roles, again.Roles); diff != "" {
		t.Error(diff)
	}
}

// TestForDirGoesByTheRealPath: the same directory by another path is the same node.
func TestForDirGoesByTheRealPath(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	names := map[string]bool{}
	for _, d := range []string{dir, link, ".", dir + "/../" + filepath.Base(dir)} {
		cfg, err := ForDir(d)
		if err != nil {
			t.Fatal(err)
		}
		names[cfg.SegmentName] = true
	}
	if len(names) != 1 {
		t.Errorf("%d names for one directory: %v", len(names), names)
	}
}

func TestForDirErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := ForDir(filepath.Join(dir, "none")); !errors.Is(err, ErrNoDir) {
		t.Errorf("missing: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ForDir(file); !errors.Is(err, ErrInvalid) {
		t.Errorf("file: %v", err)
	}
	// 56 bytes of base, a slash and the 23 of the name make 80.
	long := "/" + strings.Repeat("x", 55)
	t.Setenv("XDG_RUNTIME_DIR", long)
	_, err := ForDir(dir)
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), long) || !strings.Contains(err.Error(), "at most 79") {
		t.Errorf("long path: %v", err)
	}
	t.Setenv("XDG_RUNTIME_DIR", long[:55])
	if _, err = ForDir(dir); err != nil {
		t.Errorf("longest path: %v", err)
	}
}

func TestLocate(t *testing.T) {
	for _, c := range []struct {
		name, dir, file, envDir, envFile string
		want                             Source
		err                              error
	}{
		{name: "flag -d", dir: "D", envDir: "E", want: Source{Dir: "D"}},
		{name: "flag -c", file: "F", envDir: "E", want: Source{File: "F"}},
		{name: "env dir", envDir: "E", want: Source{Dir: "E"}},
		{name: "env conf", envFile: "F", want: Source{File: "F"}},
		{name: "both flags", dir: "D", file: "F", err: ErrInvalid},
		{name: "both variables", envDir: "E", envFile: "F", err: ErrInvalid},
		{name: "both variables, flag", dir: "D", envDir: "E", envFile: "F", want: Source{Dir: "D"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(EnvDir, c.envDir)
			t.Setenv(EnvFile, c.envFile)
			got, err := Locate(c.dir, c.file)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestLocateDefault(t *testing.T) {
	t.Setenv(EnvDir, "")
	t.Setenv(EnvFile, "")
	got, err := Locate("", "")
	if _, statErr := os.Stat(DefaultPath); statErr == nil {
		if got.File != DefaultPath {
			t.Errorf("%+v, %v", got, err)
		}
	} else if !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), DefaultPath) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFindReadsWhatArgsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.conf")
	if err := os.WriteFile(path, []byte(base), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Find("", path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"-c", path}, cfg.Source().Args()); diff != "" {
		t.Error(diff)
	}
	dir := t.TempDir()
	if cfg, err = Find(dir, ""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"-d", cfg.Dir}, cfg.Source().Args()); diff != "" {
		t.Error(diff)
	}
}

func TestCheckHost(t *testing.T) {
	dir := t.TempDir()
	src := strings.NewReplacer("/srv/b", dir, "/srv/m", dir+"/none").Replace(base)
	cfg, err := Parse("a.conf", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	err = cfg.CheckHost()
	checkErrors(t, err, []string{"a.conf:7:29: blockerm: archip_dir '" + dir + "/none': no such file or directory"})
	if cfg, err = ForDir(dir); err != nil || cfg.CheckHost() != nil {
		t.Errorf("a node in a directory makes its own: %v, %v", err, cfg.CheckHost())
	}
}
