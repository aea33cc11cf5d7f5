package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the format
	"github.com/goreleaser/nfpm/v2/files"
)

// pack writes package name from its stage directory and its YAML file.
func (b *build) pack(name string) error {
	info, err := b.describe(name)
	if err != nil {
		return err
	}
	if info.Contents, err = b.contents(filepath.Join(b.stage, name)); err != nil {
		return err
	}
	packager, err := nfpm.Get("deb")
	if err != nil {
		return err
	}
	path := filepath.Join(b.out, packager.ConventionalFileName(info))
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := packager.Package(info, file); err != nil {
		return fmt.Errorf("package %s: %w", name, err)
	}
	fmt.Println(path)
	return file.Close()
}

// describe reads packaging/NAME/nfpm.yaml. Paths in it are relative to packaging/.
func (b *build) describe(name string) (*nfpm.Info, error) {
	path := filepath.Join(b.root, "packaging", name, "nfpm.yaml")
	changelog, err := b.changelog()
	if err != nil {
		return nil, err
	}
	config, err := nfpm.ParseFileWithEnvMapping(path, func(variable string) string {
		if variable == "VERSION" {
			return b.version
		}
		return ""
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	info, err := config.Get("deb")
	if err != nil {
		return nil, err
	}
	info.MTime, info.Changelog = b.when, changelog
	for _, script := range []*string{&info.Scripts.PreInstall, &info.Scripts.PostInstall,
		&info.Scripts.PreRemove, &info.Scripts.PostRemove} {
		if *script != "" {
			*script = filepath.Join(b.root, "packaging", *script)
		}
	}
	return info, nil
}

// contents lists every file of a stage directory. What lies below /etc is a conffile.
func (b *build) contents(stage string) (list files.Contents, err error) {
	err = filepath.WalkDir(stage, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		dst := strings.TrimPrefix(path, stage)
		content := &files.Content{Source: path, Destination: dst,
			FileInfo: &files.ContentFileInfo{Mode: 0o644, MTime: b.when}}
		if strings.HasPrefix(dst, "/usr/bin/") || strings.HasPrefix(dst, "/lib/systemd/system-generators/") {
			content.FileInfo.Mode = 0o755
		}
		if strings.HasPrefix(dst, "/etc/") {
			content.Type = files.TypeConfig
		}
		if d.Type() == fs.ModeSymlink {
			if content.Source, err = os.Readlink(path); err != nil {
				return err
			}
			content.Type = files.TypeSymlink
		}
		list = append(list, content)
		return nil
	})
	return list, err
}

// changelog writes Debian's changelog: one entry, for this version. What changed is in the history
// of the repository.
func (b *build) changelog() (string, error) {
	path := filepath.Join(b.stage, "changelog.yaml")
	text := fmt.Sprintf(`- semver: %s-1
  date: %s
  packager: %s
  deb:
    urgency: medium
    distributions: [bookworm]
  changes:
    - note: Build of this version; the repository has its history.
`, b.version, b.when.Format("2006-01-02T15:04:05Z"), maintainer)
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// maintainer is named in every package.
const maintainer = "The Archipelago developers <maintainers@archipelago.invalid>"
