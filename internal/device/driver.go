package device

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"archipelago/internal/config"
)

// driver makes and ends the devices of one kind.
type driver interface {
	// missing says what the machine or the node lacks for it; nil: it can be used.
	missing(cfg *config.Config) error
	// attach makes a device of m's volume and fills in what it is.
	attach(ctx context.Context, cfg *config.Config, m *Mapping, opts *Options) error
	// detach ends the device.
	detach(m *Mapping) error
	// resize makes the device as large as the volume is now.
	resize(m *Mapping, size int64) error
	// alive says whether the device is still that of m.
	alive(m *Mapping) bool
	// broken says whether the device gives nothing but errors any more and has to be made anew.
	broken(m *Mapping) bool
}

// drivers are those there are; order is that of "auto".
var (
	drivers = map[string]driver{"nbd": nbdDriver{}, "loop": loopDriver{}}
	order   = []string{"nbd", "loop"}
)

// choose returns the name of the driver that is meant. The driver xsegbd is one of a kernel module
// that this machine lacks: asked for, it is an error; "auto" goes on to the next.
func choose(cfg *config.Config, name string) (string, error) {
	switch {
	case name == "":
		name = cfg.MapDriver
		if name != "" && name != "auto" {
			return choose(cfg, name)
		}
		fallthrough
	case name == "auto":
		return automatic(cfg)
	}
	d := drivers[name]
	if d == nil {
		return "", fmt.Errorf("%w: the kernel module %s isn't there", ErrNoDriver, name)
	}
	if err := d.missing(cfg); err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrNoDriver, name, err)
	}
	return name, nil
}

func automatic(cfg *config.Config) (string, error) {
	var why []string
	for _, name := range order {
		err := drivers[name].missing(cfg)
		if err == nil {
			return name, nil
		}
		why = append(why, name+": "+err.Error())
	}
	return "", fmt.Errorf("%w: %s", ErrNoDriver, strings.Join(why, "; "))
}

func (m *Mapping) alive() bool {
	d := drivers[m.Driver]
	return d != nil && d.alive(m)
}

// errNotRoot: the kernel lets only root make devices.
var errNotRoot = errors.New("only root may")
