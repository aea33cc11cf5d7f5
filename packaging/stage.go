package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// rule sends the files that match a pattern, below the source tree, into a directory.
type rule struct {
	pattern, dir string
	name         string // of the installed file; "" = as it is
}

// static are the files that are installed as they lie in the tree.
var static = []rule{
	{pattern: "systemd/*.service", dir: "lib/systemd/system"},
	{pattern: "systemd/*.target", dir: "lib/systemd/system"},
	{pattern: "systemd/*.slice", dir: "lib/systemd/system"},
	{pattern: "systemd/*.socket", dir: "lib/systemd/system"},
	{pattern: "systemd/sysusers.d/*.conf", dir: "usr/lib/sysusers.d"},
	{pattern: "systemd/tmpfiles.d/*.conf", dir: "usr/lib/tmpfiles.d"},
	{pattern: "systemd/*.rules", dir: "usr/share/polkit-1/rules.d"},
	{pattern: "etc/archipelago.conf", dir: "etc/archipelago"},
	{pattern: "monitoring/*.json", dir: "usr/share/archipelago/monitoring"},
	{pattern: "monitoring/*.yml", dir: "usr/share/archipelago/monitoring"},
	{pattern: "monitoring/*.yaml", dir: "usr/share/archipelago/monitoring"},
	{pattern: "packaging/archipelago/lintian-overrides", dir: "usr/share/lintian/overrides", name: "archipelago"},
	{pattern: "packaging/copyright", dir: "usr/share/doc/archipelago"},
}

// generated are the files that `go run ./internal/cli/gen` writes.
var generated = []rule{
	{pattern: "man/*.1", dir: "usr/share/man/man1"},
	{pattern: "man/*.5", dir: "usr/share/man/man5"},
	{pattern: "man/*.7", dir: "usr/share/man/man7"},
	{pattern: "man/*.8", dir: "usr/share/man/man8"},
	{pattern: "completion/bash/*", dir: "usr/share/bash-completion/completions"},
	{pattern: "completion/zsh/*", dir: "usr/share/zsh/vendor-completions"},
	{pattern: "completion/fish/*", dir: "usr/share/fish/vendor_completions.d"},
}

// stageNode lays out package archipelago.
func (b *build) stageNode() error {
	to := filepath.Join(b.stage, "archipelago")
	if err := b.compile(filepath.Join(to, "usr/bin")); err != nil {
		return err
	}
	if err := move(to, "usr/bin/archipelago-generator", "lib/systemd/system-generators"); err != nil {
		return err
	}
	gen := filepath.Join(b.stage, "gen")
	if err := b.run("go", "run", "-ldflags", b.ldflags(), "./internal/cli/gen", "-out", gen); err != nil {
		return err
	}
	return errors.Join(copyAll(b.root, to, static), copyAll(gen, to, generated),
		compressTree(filepath.Join(to, "usr/share/man")))
}

// compile builds every command. Nothing of this machine gets into them: no paths, no VCS stamp, no
// C library.
func (b *build) compile(to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	return b.run("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w "+b.ldflags(),
		"-o", to+"/", "./cmd/...")
}

func (b *build) ldflags() string { return "-X archipelago/internal/version.version=" + b.version }

// run runs a command in the source tree.
func (b *build) run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.root, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64", "GOAMD64=v1", "GOFLAGS=")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}

// copyAll copies what the rules name from below one directory to below another.
func copyAll(from, to string, rules []rule) error {
	for _, r := range rules {
		paths, err := filepath.Glob(filepath.Join(from, r.pattern))
		if err != nil {
			return err
		}
		for _, path := range paths {
			name := r.name
			if name == "" {
				name = filepath.Base(path)
			}
			if err := copyFile(path, filepath.Join(to, r.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// move moves a file below root into another directory below it.
func move(root, file, dir string) error {
	to := filepath.Join(root, dir, filepath.Base(file))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Rename(filepath.Join(root, file), to)
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// compressTree compresses every file below dir, as Debian wants its man pages.
func compressTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return compress(path)
	})
}
