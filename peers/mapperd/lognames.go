package mapperd

import (
	"os"
	"path/filepath"

	"archipelago/internal/mapfmt"
)

// logNames returns the names of the volumes of this store that have a pending log.
func (e *Engine) logNames() (map[mapfmt.UUID]string, error) {
	files, err := os.ReadDir(e.cfg.PendingDir)
	if err != nil {
		return nil, err
	}
	names := map[mapfmt.UUID]string{}
	for _, f := range files {
		store, u, err := mapfmt.ParsePendingLogName(f.Name())
		if err != nil || store != e.store.ID {
			continue
		}
		name, err := os.ReadFile(filepath.Join(e.cfg.PendingDir, f.Name()+mapfmt.PendingNameSuffix))
		if err != nil {
			e.cfg.Log.Error("pending log without a name", "log", f.Name(), "error", err)
			continue
		}
		names[u] = string(name)
	}
	return names, nil
}
