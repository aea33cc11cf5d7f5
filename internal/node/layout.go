package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"archipelago/internal/config"
)

// MakeDir makes the directory of a node if it isn't there (its parent must be), and checks that it
// can be written to.
func MakeDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return unwritable(dir, err)
	}
	st, err := os.Stat(dir)
	if err != nil {
		return unwritable(dir, err)
	}
	if !st.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	return probe(dir)
}

// probe writes a file, the one way to know: permissions, a read-only mount and a full disk all
// show in it.
func probe(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return unwritable(dir, err)
	}
	_, err = f.WriteString("x")
	if err := errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

// layOut makes the directories of a node in a directory.
func layOut(cfg *config.Config) error {
	if cfg.Dir == "" {
		return cfg.CheckHost()
	}
	for _, r := range cfg.Roles {
		for _, dir := range []string{r.ArchipDir, r.LockDir} {
			if dir == "" || filepath.Dir(dir) != cfg.Dir {
				continue
			}
			if err := MakeDir(dir); err != nil {
				return err
			}
		}
	}
	return nil
}
