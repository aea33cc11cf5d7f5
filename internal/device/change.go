package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
)

// Volume is what is to be mapped, as the node describes it now.
type Volume struct {
	Name     string
	UUID     mapfmt.UUID
	Size     int64 // bytes
	ReadOnly bool  // a snapshot
}

// Options say how a volume is mapped.
type Options struct {
	Driver   string // "", "auto", "xsegbd", "nbd" or "loop"; "" = as configured
	ReadOnly bool
	// Holder starts a process that runs Hold for the volume of that name.
	Holder func(name string) (Holder, error)
	// Warn gets what the caller should know of a volume that was mapped all the same; nil: nobody does.
	Warn func(error)
}

func (o *Options) warn(format string, a ...any) {
	if o.Warn != nil {
		o.Warn(fmt.Errorf(format, a...))
	}
}

// Map makes a volume a block device. One that is mapped already is no error: what it needs is put
// in order. The caller is root.
func Map(ctx context.Context, cfg *config.Config, v Volume, opts Options) (*Mapping, error) {
	unlock, err := lock(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer unlock()
	readOnly := opts.ReadOnly || v.ReadOnly
	present, err := load(cfg, v.Name)
	if err != nil {
		return nil, err
	}
	if present != nil && present.alive() {
		if !drivers[present.Driver].broken(present) {
			return again(cfg, present, v, readOnly, &opts)
		}
		if err := renew(present); err != nil {
			return nil, fmt.Errorf("map volume %s: %w", v.Name, err)
		}
	}
	m := &Mapping{Name: v.Name, UUID: mapfmt.FormatUUID(v.UUID), ReadOnly: readOnly, Since: time.Now().UTC().Truncate(time.Second)}
	if m.Driver, err = choose(cfg, opts.Driver); err != nil {
		return nil, fmt.Errorf("map volume %s: %w", v.Name, err)
	}
	if err := attach(ctx, cfg, m, &opts); err != nil {
		return nil, fmt.Errorf("map volume %s by %s: %w", v.Name, m.Driver, err)
	}
	return m, nil
}

// renew ends a device that gives nothing but errors, unless somebody still uses it.
func renew(m *Mapping) error {
	if err := checkUnused(m.Device); err != nil {
		return fmt.Errorf("its device has lost its file: %w", err)
	}
	return drivers[m.Driver].detach(m)
}

// attach makes the device, and leaves nothing behind if that fails.
func attach(ctx context.Context, cfg *config.Config, m *Mapping, opts *Options) error {
	d := drivers[m.Driver]
	if err := d.attach(ctx, cfg, m, opts); err != nil {
		return err
	}
	err := node(m.Device)
	if err == nil {
		err = store(cfg, m)
	}
	if err == nil {
		err = hold(cfg, m, opts)
	}
	if err != nil {
		return errors.Join(err, d.detach(m), forget(cfg, m.Name))
	}
	return nil
}

// again is Map of a mapped volume: a holder that died is started anew.
func again(cfg *config.Config, m *Mapping, v Volume, readOnly bool, opts *Options) (*Mapping, error) {
	switch {
	case m.UUID != mapfmt.FormatUUID(v.UUID):
		return nil, fmt.Errorf("device %s is that of an earlier volume %s: unmap it first", m.Device, m.Name)
	case m.ReadOnly != readOnly:
		return nil, &ModeError{*m}
	}
	if m.Driver == nbdName && holder(cfg, m) == 0 {
		if err := hold(cfg, m, opts); err != nil {
			return nil, fmt.Errorf("map volume %s: %w", m.Name, err)
		}
	}
	return m, nil
}

// UnmapOptions say how a volume is unmapped.
type UnmapOptions struct {
	Force bool // although somebody uses the device, who then gets errors
	// StopUnit stops the unit of the service manager that holds the device (Holder.Unit).
	StopUnit func(unit string) error
}

// Unmap ends the device of a mapped volume, named by either. InUseError if somebody uses it.
func Unmap(ctx context.Context, cfg *config.Config, what string, opts UnmapOptions) error {
	unlock, err := lock(ctx, cfg)
	if err != nil {
		return err
	}
	defer unlock()
	m, err := Find(cfg, what)
	if err != nil {
		return err
	}
	if !opts.Force {
		if err := checkUnused(m.Device); err != nil {
			return err
		}
	}
	release(cfg, m, opts.StopUnit)
	if err := drivers[m.Driver].detach(m); err != nil {
		return fmt.Errorf("unmap %s: %w", m.Device, err)
	}
	return forget(cfg, m.Name)
}

// CheckUnmapped returns a MappedError if the volume is mapped on this node.
func CheckUnmapped(cfg *config.Config, name string) error {
	m, err := Find(cfg, name)
	if err == nil {
		return &MappedError{*m}
	}
	if errors.As(err, new(*NotMappedError)) {
		return nil
	}
	return err
}

// Resized makes the device of a volume as large as the volume is now; nothing to do if it isn't
// mapped.
func Resized(cfg *config.Config, name string, size int64) error {
	m, err := Find(cfg, name)
	if errors.As(err, new(*NotMappedError)) {
		return nil
	}
	if err == nil {
		err = drivers[m.Driver].resize(m, size)
	}
	if err != nil {
		return fmt.Errorf("volume %s was resized, but not its device: %w", name, err)
	}
	return nil
}

// DropCache makes the kernel forget what it has cached of the device of a volume, so that reads see
// what another node has written; nothing to do if the volume isn't mapped. What was written to the
// device and not yet to the volume is written first.
func DropCache(cfg *config.Config, name string) error {
	m, err := Find(cfg, name)
	if errors.As(err, new(*NotMappedError)) {
		return nil
	}
	if err == nil {
		err = dropCache(m.Device)
	}
	if err != nil {
		return fmt.Errorf("drop the cache of the device of volume %s: %w", name, err)
	}
	return nil
}

// lock serialises changes of this node's mappings.
func lock(ctx context.Context, cfg *config.Config) (unlock func(), err error) {
	if err := os.MkdirAll(Dir(cfg), 0o755); err != nil {
		return nil, fmt.Errorf("directory of mappings: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(Dir(cfg), ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock mappings: %w", err)
	}
	// A lock gives no sign when it is freed to who must be able to give up: it is tried again.
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock mappings: %w", err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock mappings: %w", ctx.Err()), f.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
