package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
)

// maxLooked bounds how many locks, or records, are read: this is a look, not `vlmc check`.
const maxLooked = 5000

// errEnough ends a walk.
var errEnough = errors.New("enough")

// checkLocks looks for locks of volumes that other nodes hold: after a dead node, or a change of
// node_name, volumes wait for somebody who never comes.
func checkLocks(e *env, f *found) {
	r := mapBlocker(e.cfg)
	if r == nil {
		return
	}
	dir := r.LockDir
	if dir == "" {
		dir = r.ArchipDir
	}
	own, foreign := 0, map[string]int{}
	count := func(l *mapfmt.LockContent) {
		switch {
		case l.Mode == mapfmt.LockReleased:
		case l.Node == e.cfg.NodeName:
			own++
		default:
			foreign[l.Node]++
		}
	}
	unread, more := eachLock(filepath.Join(dir, "l"), count)
	f.summary = fmt.Sprintf("%d held by this node (%s)", own, e.cfg.NodeName)
	if more {
		f.summary += fmt.Sprintf("; only the first %d were looked at", maxLooked)
	}
	for _, node := range slices.Sorted(maps.Keys(foreign)) {
		text := fmt.Sprintf("node %q holds the locks of %d volumes", node, foreign[node])
		if e.cfg.Nodes == "single" {
			f.warn(text+", and nodes = 'single' says that there is no other", "If that was this node under another name: vlmc unlock -f NAME.")
		} else {
			f.note(text, "If that node is dead: vlmc unlock -f NAME. Else that is as it should be.")
		}
	}
	if len(unread) > 0 {
		f.warn(fmt.Sprintf("%d locks can't be read: %v", len(unread), unread[0]), "See `vlmc check`; or run this as root.")
	}
}

// mapBlocker is the role that stores records and locks as files; nil if there is none.
func mapBlocker(cfg *config.Config) *config.Role {
	m := cfg.ByType(config.TypeMapper)
	if m == nil {
		return nil
	}
	for i := range cfg.Roles {
		if r := &cfg.Roles[i]; r.Type == config.TypeFile && r.PortStart == m.BlockermPort {
			return r
		}
	}
	return nil
}

// eachLock gives the newest generation of each lock to f.
func eachLock(dir string, f func(*mapfmt.LockContent)) (unread []error, more bool) {
	looked := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // released meanwhile, or there never was a lock
		case err != nil:
			unread = append(unread, err)
			return nil
		case !d.IsDir() || strings.HasPrefix(d.Name(), "=") || path == dir:
			return nil
		}
		if looked++; looked > maxLooked {
			more = true
			return errEnough
		}
		if err := headOf(path, f); err != nil {
			unread = append(unread, err)
		}
		return fs.SkipDir
	})
	if err != nil && !more {
		unread = append(unread, err)
	}
	return unread, more
}

// headOf reads the newest generation of the lock in a directory.
func headOf(dir string, f func(*mapfmt.LockContent)) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	newest := uint64(0)
	for _, x := range files {
		if n, err := strconv.ParseUint(x.Name(), 10, 64); err == nil {
			newest = max(newest, n)
		}
	}
	if newest == 0 {
		return nil
	}
	path := filepath.Join(dir, strconv.FormatUint(newest, 10))
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a newer one has come, and this one went
	}
	if err != nil {
		return err
	}
	l, err := mapfmt.DecodeLock(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f(l)
	return nil
}
