package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// volumesDir is the name of the directory of volumes in the runtime directory; fuseMark is that of
// the file which says that a node in a directory has the role that serves it.
const (
	volumesDir = "volumes"
	fuseMark   = "fuse"
)

// The role that a node in a directory gets by SetFuse.
const (
	fuseRole = "fused"
	fusePort = 1031
)

// SetFuse gives a node in a directory the role that shows its volumes as files, or takes it away:
// that role needs /dev/fuse, so it isn't one of the built-in ones. A configuration file says
// itself whether it has one: then SetFuse does nothing.
func (c *Config) SetFuse(on bool) {
	if c.Dir == "" {
		return
	}
	c.Roles = slices.DeleteFunc(c.Roles, func(r Role) bool { return r.Type == TypeFuse })
	if !on {
		return
	}
	r := roleDefaults(fuseRole, TypeFuse)
	r.PortStart, r.PortEnd = fusePort, fusePort
	r.MapperPort, r.VlmcdPort = 1001, 500
	r.Mountpoint = filepath.Join(c.RuntimeDir, volumesDir)
	c.Roles = append(c.Roles, r)
}

// MarkFuse makes SetFuse known to whoever reads the configuration of the same directory: peers and
// tools. The mark lies in the runtime directory, so it goes with the node. The runtime directory
// must be there.
func (c *Config) MarkFuse() error {
	if c.Dir == "" {
		return nil
	}
	mark := filepath.Join(c.RuntimeDir, fuseMark)
	err := os.Remove(mark)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && c.ByType(TypeFuse) != nil {
		err = os.WriteFile(mark, nil, 0o600)
	}
	if err != nil {
		return fmt.Errorf("runtime directory: %w", err)
	}
	return nil
}

func (c *Config) fuseMarked() bool {
	_, err := os.Lstat(filepath.Join(c.RuntimeDir, fuseMark))
	return err == nil
}
