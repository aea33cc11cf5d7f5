package mapperd

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"archipelago/internal/mapfmt"
)

// openIncarnation reads the node's incarnation, or makes it: a nonce per boot and store, kept
// beside the pending logs. While locks carry it, the logs are what their volumes need; after a
// reboot, or when the directory was emptied, it is another one and no old log counts.
func (e *Engine) openIncarnation() error {
	path := filepath.Join(e.cfg.PendingDir, "node."+mapfmt.FormatUUID(e.store.ID))
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("incarnation of the node: %w", err)
	}
	if len(data) == 32 && [16]byte(data) == e.cfg.BootID {
		e.incarnation = [16]byte(data[16:])
		return nil
	}
	rand.Read(e.incarnation[:])
	data = append(append([]byte(nil), e.cfg.BootID[:]...), e.incarnation[:]...)
	if err := writeFile(path, data); err != nil {
		return fmt.Errorf("incarnation of the node: %w", err)
	}
	return nil
}
