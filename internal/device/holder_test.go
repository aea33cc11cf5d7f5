package device

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"archipelago/internal/config"
)

// heldByUnit maps a volume whose driver needs a process, which a unit runs. Its device has no place
// in sysfs, so the kernel can't be told what it should do.
func heldByUnit(t *testing.T) (cfg *config.Config, warned []error) {
	cfg, d := fake(t)
	drivers[nbdName], order = d, []string{nbdName}
	_, err := Map(context.Background(), cfg, vol("disk"), Options{
		Holder: func(name string) (Holder, error) { return Holder{PID: 7, Unit: "hold-" + name}, nil },
		Warn:   func(err error) { warned = append(warned, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg, warned
}

// TestHeldByUnit: who holds a device is kept, and is stopped when the device ends.
func TestHeldByUnit(t *testing.T) {
	cfg, warned := heldByUnit(t)
	if len(warned) != 1 || !errors.Is(warned[0], os.ErrNotExist) {
		t.Errorf("warned of %v", warned)
	}
	if m, err := Find(cfg, "disk"); err != nil || m.Holder != 7 || m.Unit != "hold-disk" {
		t.Errorf("%+v, %v", m, err)
	}
	var stopped []string
	stop := func(unit string) error {
		if _, err := Find(cfg, "disk"); err != nil {
			t.Errorf("it was stopped after the device: %v", err)
		}
		stopped = append(stopped, unit)
		return errors.New("no bus")
	}
	// That it can't be stopped keeps no volume mapped.
	if err := Unmap(context.Background(), cfg, "disk", UnmapOptions{Force: true, StopUnit: stop}); err != nil {
		t.Error(err)
	}
	if !slices.Equal(stopped, []string{"hold-disk"}) {
		t.Errorf("stopped: %q", stopped)
	}
}

// TestHolderFails: a device that nobody would connect again isn't left behind.
func TestHolderFails(t *testing.T) {
	cfg, d := fake(t)
	drivers[nbdName], order = d, []string{nbdName}
	fails := errors.New("no unit")
	_, err := Map(context.Background(), cfg, vol("disk"), Options{
		Holder: func(string) (Holder, error) { return Holder{}, fails },
	})
	if !errors.Is(err, fails) {
		t.Errorf("map: %v", err)
	}
	if _, err := os.Stat(filepath.Join(d.dir, "dev-disk")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its device is still there: %v", err)
	}
	if all, err := List(cfg); len(all) != 0 || err != nil {
		t.Errorf("list: %v, %v", all, err)
	}
}
