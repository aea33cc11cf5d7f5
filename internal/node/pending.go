package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"archipelago/internal/config"
)

// incarnationPrefix begins the name of the file that says which life of the node the pending logs
// belong to.
const incarnationPrefix = "node."

// clearPending takes the directory of the pending logs away after a clean stop of a node that is
// alone: every volume was closed, so no log is left, and the node may begin a new life as after a
// reboot. If there is a log all the same, everything stays for the next run.
func clearPending(cfg *config.Config) error {
	if cfg.Nodes != "single" {
		return nil
	}
	files, err := os.ReadDir(cfg.PendingDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), incarnationPrefix) {
			return nil
		}
	}
	for _, f := range files {
		if err := os.Remove(filepath.Join(cfg.PendingDir, f.Name())); err != nil {
			return err
		}
	}
	return os.Remove(cfg.PendingDir)
}
