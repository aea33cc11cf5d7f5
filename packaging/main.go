package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

func main() {
	b := &build{}
	flag.StringVar(&b.root, "root", "..", "the source tree")
	flag.StringVar(&b.out, "out", "../build/deb", "directory of the packages")
	flag.StringVar(&b.manual, "manual", "", "directory of the HTML manual; without it archipelago-doc isn't built")
	flag.StringVar(&b.version, "version", "", "version of the programs and packages")
	flag.Parse()
	if err := run(b); err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

// build is one run.
type build struct {
	root, out, manual, version string
	stage                      string    // where files lie as they will be installed, by package
	when                       time.Time // of every file
}

func run(b *build) error {
	if b.version == "" {
		return fmt.Errorf("-version is needed; version.sh prints that of this tree")
	}
	if err := b.prepare(); err != nil {
		return err
	}
	defer os.RemoveAll(b.stage)
	if err := b.stageNode(); err != nil {
		return err
	}
	if err := b.pack("archipelago"); err != nil || b.manual == "" {
		return err
	}
	if err := b.stageManual(); err != nil {
		return err
	}
	return b.pack("archipelago-doc")
}

// prepare makes all paths absolute, because commands run in other directories.
func (b *build) prepare() (err error) {
	for _, path := range []*string{&b.root, &b.out, &b.manual} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if b.when, err = sourceDate(); err != nil {
		return err
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	b.stage, err = os.MkdirTemp("", "archipelago-stage-")
	return err
}

// sourceDate reads the time that all files get.
func sourceDate() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%q: seconds since 1970 are needed", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
