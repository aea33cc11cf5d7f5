package vlmc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"archipelago/internal/config"
	"archipelago/internal/device"
	"archipelago/internal/systemd"
)

// Tuning.
const (
	// busLimit bounds how long the system bus may take to answer at all.
	busLimit = 10 * time.Second
	// unitLimit leaves room for the time after which systemd itself gives a start or a stop up.
	unitLimit = time.Minute
	// explainLines is how much of the journal goes with a failure.
	explainLines = 4
)

// unitConfig is the configuration of the node that systemd runs: its units name no other. Tests have
// one of their own.
var unitConfig = config.DefaultPath

// startHolder starts what holds the device of a volume: a unit if systemd runs the node, else a
// process of its own.
func startHolder(ctx context.Context, cfg *config.Config, name string) (device.Holder, error) {
	unit := systemd.Map(name)
	if len(unit) > systemd.NameMax {
		return startProcess(cfg, name)
	}
	m, err := unitManager(ctx, cfg)
	if err != nil {
		return device.Holder{}, err
	}
	if m == nil {
		return startProcess(cfg, name)
	}
	h, err := startUnit(ctx, m, unit)
	return h, errors.Join(err, m.Close())
}

// unitManager connects to systemd if it runs the node; nil if it doesn't.
func unitManager(ctx context.Context, cfg *config.Config) (*systemd.Manager, error) {
	server := cfg.ByType(config.TypeNBD)
	if cfg.Path != unitConfig || server == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, busLimit)
	defer cancel()
	m, err := systemd.Connect(ctx, "")
	if errors.Is(err, systemd.ErrNoBus) || errors.Is(err, systemd.ErrNoManager) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	u, err := m.Unit(ctx, systemd.Peer(server.Name))
	switch {
	case errors.Is(err, systemd.ErrNoUnit), err == nil && u.Down():
		return nil, m.Close() // then it is `archipelago run` that runs nbdd
	case err != nil:
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// startUnit starts a unit that holds a device, and says which process does.
func startUnit(ctx context.Context, m *systemd.Manager, unit string) (device.Holder, error) {
	begin := time.Now()
	limited, cancel := context.WithTimeout(ctx, unitLimit)
	defer cancel()
	if err := m.Start(limited, unit); err != nil {
		// The deadline may have passed: the journal has one of its own.
		lines := systemd.LastLines(context.WithoutCancel(ctx), unit, begin, explainLines)
		return device.Holder{}, fmt.Errorf("%w%s", err, strings.Join(append([]string{""}, lines...), "\n  "))
	}
	u, err := m.Unit(limited, unit)
	if err != nil {
		return device.Holder{}, err
	}
	return device.Holder{PID: u.PID, Unit: unit}, nil
}

// stopUnit stops a unit that holds a device.
func stopUnit(ctx context.Context, unit string) error {
	ctx, cancel := context.WithTimeout(ctx, unitLimit)
	defer cancel()
	m, err := systemd.Connect(ctx, "")
	if err != nil {
		return err
	}
	return errors.Join(m.Stop(ctx, unit), m.Close())
}
