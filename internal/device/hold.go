package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
)

// holdFile is locked by the process that holds the device of a volume, and has its pid in it.
func holdFile(cfg *config.Config, name string) string { return file(cfg, name) + ".hold" }

// HolderLog is where the process that Options.Holder starts writes what it has to say.
func HolderLog(cfg *config.Config, name string) string { return filepath.Join(Dir(cfg), name+".log") }

// Tuning.
const (
	firstRetry = 10 * time.Millisecond
	lastRetry  = time.Second
	aliveCheck = 2 * time.Second
)

// Hold keeps the device of a mapped volume connected to nbdd until ctx ends or the device is gone:
// whenever a connection is lost it makes new ones. ready runs once when it has begun. A second
// process for the same volume fails.
func Hold(ctx context.Context, cfg *config.Config, name string, log *slog.Logger, ready func()) error {
	m, err := Find(cfg, name)
	if err != nil {
		return err
	}
	if m.Driver != nbdName {
		return fmt.Errorf("device %s needs no process: its driver is %s", m.Device, m.Driver)
	}
	f, err := takeHold(cfg, name)
	if err != nil {
		return fmt.Errorf("hold %s: %w", m.Device, err)
	}
	defer f.Close()
	n, err := dialNetlink(nbdName)
	if err != nil {
		return err
	}
	defer n.close()
	if err := n.join(nbdGroup); err != nil {
		return err
	}
	h := &holding{cfg: cfg, m: m, log: log, lost: make(chan struct{}, 1)}
	// A connection may have been lost before anybody listened.
	h.lose()
	ctx, end := context.WithCancel(ctx)
	defer end()
	listened := make(chan error, 1)
	go func() {
		defer end()
		listened <- n.listen(ctx, h.hear)
	}()
	ready()
	h.run(ctx)
	end()
	if err := <-listened; !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
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

// holding is a device that is held.
type holding struct {
	cfg  *config.Config
	m    *Mapping
	log  *slog.Logger
	lost chan struct{} // holds one: connections were lost since they were last made
}

func (h *holding) lose() {
	select {
	case h.lost <- struct{}{}:
	default:
	}
}

// hear takes what the kernel says; nil: something was lost.
func (h *holding) hear(m *message) {
	if m == nil {
		h.lose()
		return
	}
	if index, ok := m.u32(nbdIndex); ok && m.command == nbdLinkDead && int(index) == h.m.Index {
		h.lose()
	}
}

// run returns when ctx has ended or the device isn't ours any more.
func (h *holding) run(ctx context.Context) {
	// Nobody says that a device was disconnected: it is looked at.
	tick := time.NewTicker(aliveCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-h.lost:
			h.reconnect(ctx)
		}
		if !h.m.alive() {
			h.log.Info("the device is gone", "device", h.m.Device)
			return
		}
	}
}

// reconnect tries until it succeeds: nbdd may be away for a while, and users of the device wait.
func (h *holding) reconnect(ctx context.Context) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := reconnect(ctx, h.cfg, h.m)
		if err == nil {
			h.log.Info("connected", "volume", h.m.Name, "device", h.m.Device)
			return
		}
		if wait == lastRetry {
			h.log.Warn("no connection yet", "volume", h.m.Name, "device", h.m.Device, "error", err)
		}
		// Nothing tells when nbdd is there again.
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if !h.m.alive() {
			return
		}
	}
}
