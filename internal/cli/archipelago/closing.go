package archipelago

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
	"archipelago/internal/volume"
)

// lockedVolumes returns the names of the volumes that this node holds the lock of, in byte order: a
// mapper keeps a pending log for each as long. It asks nobody.
func lockedVolumes(cfg *config.Config) ([]string, error) {
	files, err := os.ReadDir(cfg.PendingDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("locks of the node: %w", err)
	}
	var names []string
	for _, f := range files {
		if _, _, err := mapfmt.ParsePendingLogName(f.Name()); err != nil {
			continue
		}
		name, err := os.ReadFile(filepath.Join(cfg.PendingDir, f.Name()+mapfmt.PendingNameSuffix))
		if errors.Is(err, fs.ErrNotExist) {
			continue // closed meanwhile, or not quite open yet
		}
		if err != nil {
			return nil, fmt.Errorf("locks of the node: %w", err)
		}
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names, nil
}

// closeVolumes closes every volume that the node holds the lock of, so that another node can use it.
// A row is shown if there are any.
func (u *units) closeVolumes(ctx context.Context) error {
	names, err := lockedVolumes(u.cfg)
	if err != nil || len(names) == 0 {
		return wayOut(err)
	}
	return u.rows.do("Closing", fmt.Sprintf("%d volumes", len(names)), func() (string, error) {
		ctx, cancel := context.WithTimeout(ctx, u.limit)
		defer cancel()
		if err := closeAll(ctx, u.cfg, names, u.limit); err != nil {
			return "", fmt.Errorf("%w\nthe rest of the node stays up; `archipelago stop -f` stops it all the same", err)
		}
		return "", nil
	})
}

// closeAll closes volumes, all that it can.
func closeAll(ctx context.Context, cfg *config.Config, names []string, limit time.Duration) error {
	c, err := volume.Dial(ctx, cfg, volume.Options{Role: "stop", RecoverySeconds: max(1, int(limit.Seconds()))})
	if err != nil {
		return fmt.Errorf("close volumes: %w", err)
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, c.CloseVolume(ctx, name))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(append(errs, c.Close())...)
}
