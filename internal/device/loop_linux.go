package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
)

// loopDriver makes loop devices on the files of fused.
type loopDriver struct{}

func (loopDriver) missing(cfg *config.Config) error {
	r := cfg.ByType(config.TypeFuse)
	if r == nil {
		return errors.New("the node has no role fused (run -d with --fuse, or list it in roles)")
	}
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return err
	}
	return nil
}

// attempts bounds how often a free loop device is looked for that somebody else then takes.
const attempts = 64

func (d loopDriver) attach(_ context.Context, cfg *config.Config, m *Mapping, _ *Options) error {
	m.Backing = filepath.Join(cfg.ByType(config.TypeFuse).Mountpoint, m.Name)
	mode := os.O_RDWR
	if m.ReadOnly {
		mode = os.O_RDONLY
	}
	backing, err := os.OpenFile(m.Backing, mode, 0)
	if err != nil {
		return fmt.Errorf("file of the volume: %w (does fused run?)", err)
	}
	defer backing.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer control.Close()
	for range attempts {
		err = d.attachFree(control, backing, m)
		if !errors.Is(err, unix.EBUSY) {
			break
		}
	}
	return err
}

// attachFree binds the file to the first free device. EBUSY: somebody else was faster.
func (loopDriver) attachFree(control, backing *os.File, m *Mapping) error {
	index, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return fmt.Errorf("find a free loop device: %w", err)
	}
	m.Index, m.Device = index, fmt.Sprintf("/dev/loop%d", index)
	if err := node(m.Device); err != nil {
		return err
	}
	f, err := os.OpenFile(m.Device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	// Direct I/O: else the kernel would keep a second copy of all data, of the file.
	conf := unix.LoopConfig{Fd: uint32(backing.Fd())}
	conf.Info.Flags = unix.LO_FLAGS_DIRECT_IO
	if m.ReadOnly {
		conf.Info.Flags |= unix.LO_FLAGS_READ_ONLY
	}
	copy(conf.Info.File_name[:len(conf.Info.File_name)-1], m.Backing)
	if err := unix.IoctlLoopConfigure(int(f.Fd()), &conf); err != nil {
		return fmt.Errorf("bind %s to %s: %w", m.Device, m.Backing, err)
	}
	return nil
}

func (loopDriver) detach(m *Mapping) error {
	f, err := os.OpenFile(m.Device, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.IoctlSetInt(int(f.Fd()), unix.LOOP_CLR_FD, 0)
	if errors.Is(err, unix.ENXIO) {
		return nil // it is free already
	}
	return err
}

func (loopDriver) resize(m *Mapping, _ int64) error {
	// The loop driver takes the size that the kernel knows of the file, and that is news to it.
	if _, err := os.Stat(m.Backing); err != nil {
		return err
	}
	f, err := os.OpenFile(m.Device, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.LOOP_SET_CAPACITY, 0); err != nil {
		return fmt.Errorf("resize %s: %w", m.Device, err)
	}
	return nil
}

func (d loopDriver) alive(m *Mapping) bool {
	return attribute(m.Device, "loop/backing_file") == m.Backing || d.broken(m)
}

// broken: when fused was killed its successor takes the stale mount out of the tree, and the kernel
// shows what is left of the path of the file.
func (loopDriver) broken(m *Mapping) bool {
	return attribute(m.Device, "loop/backing_file") == "/"+m.Name
}
