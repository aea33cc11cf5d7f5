package device

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
)

// Holder is a process that runs Hold.
type Holder struct {
	PID  int
	Unit string // of the service manager that runs it; "" = none does
}

// holdFile is locked by the process that holds the device of a volume, and has its pid in it.
func holdFile(cfg *config.Config, name string) string { return file(cfg, name) + ".hold" }

// HolderLog is where the process that Options.Holder starts writes what it has to say.
func HolderLog(cfg *config.Config, name string) string { return filepath.Join(Dir(cfg), name+".log") }

// hold starts the process that a device of the nbd driver needs.
func hold(cfg *config.Config, m *Mapping, opts *Options) error {
	if m.Driver != nbdName || opts.Holder == nil {
		return nil
	}
	h, err := opts.Holder(m.Name)
	if err != nil {
		return fmt.Errorf("start the process that holds %s: %w", m.Device, err)
	}
	m.Holder, m.Unit = h.PID, h.Unit
	// Not before: newer kernels let this wait for requests that are under way.
	if err := setPeriod(m.Device, resendPeriod); err != nil {
		opts.warn("requests that are under way when nbdd is killed will wait for %v: %w", defaultPeriod, err)
	}
	return store(cfg, m)
}

// release ends the holder before the device: it would try to connect it again.
func release(cfg *config.Config, m *Mapping, stopUnit func(string) error) {
	if m.Unit != "" && stopUnit != nil {
		// If that fails it ends by itself when it sees that the device is gone.
		_ = stopUnit(m.Unit)
	}
	if pid := holder(cfg, m); pid > 0 {
		_ = unix.Kill(pid, unix.SIGTERM) // it may have ended meanwhile
	}
	// What it leaves means nothing without it.
	_ = os.Remove(holdFile(cfg, m.Name))
	_ = os.Remove(HolderLog(cfg, m.Name))
}

// takeHold locks the file of the holder and writes who it is.
func takeHold(cfg *config.Config, name string) (*os.File, error) {
	f, err := os.OpenFile(holdFile(cfg, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("another process does so already")
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// holder returns the process that holds a device; 0 = none does.
func holder(cfg *config.Config, m *Mapping) int {
	f, err := os.Open(holdFile(cfg, m.Name))
	if err != nil {
		return 0
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		return 0
	}
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return 0
	}
	return pid
}
