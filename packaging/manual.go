package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// sphinxScripts is where Debian's libjs-sphinxdoc has the scripts that Sphinx puts into each manual.
const sphinxScripts = "/usr/share/javascript/sphinxdoc/1.0"

// stageManual lays out package archipelago-doc. What only the manual's own build needs stays away.
func (b *build) stageManual() error {
	to := filepath.Join(b.stage, "archipelago-doc")
	html := filepath.Join(to, "usr/share/doc/archipelago/html")
	if err := os.CopyFS(html, os.DirFS(b.manual)); err != nil {
		return err
	}
	for _, name := range []string{".buildinfo", "objects.inv", ".doctrees"} {
		if err := os.RemoveAll(filepath.Join(html, name)); err != nil {
			return err
		}
	}
	if err := linkScripts(filepath.Join(html, "_static"), "../../../../javascript/sphinxdoc/1.0"); err != nil {
		return err
	}
	return copyAll(b.root, to, []rule{
		{pattern: "packaging/copyright", dir: "usr/share/doc/archipelago-doc"},
		{pattern: "packaging/archipelago-doc/doc-base", dir: "usr/share/doc-base", name: "archipelago-doc.archipelago"},
		{pattern: "packaging/archipelago-doc/lintian-overrides", dir: "usr/share/lintian/overrides", name: "archipelago-doc"},
	})
}

// linkScripts replaces each script that Debian has as well by a link to it: a package must not bring
// a copy of another's library.
func linkScripts(dir, target string) error {
	scripts, err := filepath.Glob(filepath.Join(dir, "*.js"))
	if err != nil {
		return err
	}
	for _, path := range scripts {
		name := filepath.Base(path)
		debians, err := os.ReadFile(filepath.Join(sphinxScripts, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // of this manual alone
		}
		if err != nil {
			return err
		}
		ours, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(ours, debians) {
			continue
		}
		if err := errors.Join(os.Remove(path), os.Symlink(filepath.Join(target, name), path)); err != nil {
			return err
		}
	}
	return nil
}
