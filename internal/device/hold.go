package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"archipelago/internal/config"
)

// Tuning.
const (
	firstRetry = 10 * time.Millisecond
	lastRetry  = time.Second
	aliveCheck = 2 * time.Second
)

// Hold keeps the device of a mapped volume connected to nbdd until ctx ends: whenever the connection
// is lost it makes a new one. ready runs once when it has begun. NotMappedError if the volume isn't
// mapped, or isn't any more. A second process for the same volume fails.
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
	gone := h.run(ctx)
	end()
	if err := <-listened; !errors.Is(err, context.Canceled) {
		return err
	}
	if gone {
		return &NotMappedError{name}
	}
	return nil
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

// run returns when ctx has ended or the device isn't ours any more: then gone.
func (h *holding) run(ctx context.Context) (gone bool) {
	// Nobody says that a device was disconnected: it is looked at.
	tick := time.NewTicker(aliveCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		case <-h.lost:
			h.reconnect(ctx)
		}
		if !h.m.alive() {
			h.log.Info("the device is gone", "device", h.m.Device)
			return true
		}
	}
}

// reconnect tries until it succeeds: nbdd may be away for a while, and users of the device wait.
func (h *holding) reconnect(ctx context.Context) {
	warned := false
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := reconnect(ctx, h.cfg, h.m)
		if err == nil {
			h.log.Info("connected", "volume", h.m.Name, "device", h.m.Device)
			return
		}
		if wait == lastRetry && !warned {
			warned = true // the node may be stopped for long
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
