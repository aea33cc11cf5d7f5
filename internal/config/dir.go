package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ForDir returns the built-in configuration of a node in a directory: one node, files below dir,
// everything else derived from the real path of dir, so that two nodes never meet. It touches
// nothing. ErrNoDir if dir isn't there.
func ForDir(dir string) (*Config, error) {
	real, err := realDir(dir)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(real))
	name := "archip-" + hex.EncodeToString(sum[:8])

	c := defaults()
	c.Dir = real
	c.SegmentName = name
	c.SegmentSize = 2048
	c.RuntimeDir = filepath.Join(runtimeBase(), name)
	c.Nodes = "single"
	c.derive()
	c.Roles = dirRoles(real, c.RuntimeDir)
	c.SetFuse(c.fuseMarked())
	if err := c.checkRuntimeDir(); err != nil {
		return nil, err
	}
	return c, nil
}

func realDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrInvalid, dir, err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: %s", ErrNoDir, dir)
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	st, err := os.Stat(real)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if !st.IsDir() {
		return "", fmt.Errorf("%w: %s is not a directory", ErrInvalid, dir)
	}
	return real, nil
}

// runtimeBase is short, because the paths of sockets must be.
func runtimeBase() string {
	if base := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(base) {
		return base
	}
	if os.Geteuid() == 0 {
		return "/run/archipelago"
	}
	return "/tmp"
}

func (c *Config) checkRuntimeDir() error {
	if len(c.RuntimeDir) <= maxRuntime {
		return nil
	}
	return Errors{{Msg: tooLong("runtime directory", c.RuntimeDir, maxRuntime) +
		", because the path of a socket in it ends at 107: set XDG_RUNTIME_DIR to a shorter one"}}
}

func dirRoles(dir, runtimeDir string) []Role {
	role := func(name, typ string, first, last int) Role {
		r := roleDefaults(name, typ)
		r.PortStart, r.PortEnd = first, last
		return r
	}
	blockerb := role("blockerb", TypeFile, 1000, 1000)
	blockerb.ArchipDir = filepath.Join(dir, "blocks")
	blockerb.LockDir = filepath.Join(dir, "locks")
	blockerm := role("blockerm", TypeFile, 1002, 1002)
	blockerm.ArchipDir = filepath.Join(dir, "maps")
	blockerm.LockDir = blockerb.LockDir
	mapperd := role("mapperd", TypeMapper, 1001, 1001)
	mapperd.BlockerbPort, mapperd.BlockermPort = 1000, 1002
	vlmcd := role("vlmcd", TypeVlmcd, 500, 999)
	vlmcd.BlockerbPort, vlmcd.MapperPort = 1000, 1001
	nbdd := role("nbdd", TypeNBD, 1030, 1030)
	nbdd.MapperPort, nbdd.VlmcdPort = 1001, 500
	nbdd.Socket = filepath.Join(runtimeDir, nbdSocket)
	return []Role{blockerb, blockerm, mapperd, vlmcd, nbdd}
}
