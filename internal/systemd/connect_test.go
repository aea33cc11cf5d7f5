package systemd_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"archipelago/internal/systemd"
	"archipelago/internal/systemd/systemdtest"
)

func TestNoBus(t *testing.T) {
	for _, address := range []string{"unix:path=" + filepath.Join(t.TempDir(), "none"), "nonsense"} {
		if _, err := systemd.Connect(t.Context(), address); !errors.Is(err, systemd.ErrNoBus) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestBusAddressOfEnvironment(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
	if _, err := systemd.Connect(t.Context(), ""); !errors.Is(err, systemd.ErrNoBus) {
		t.Error(err)
	}
}

func TestNoManager(t *testing.T) {
	bus := systemdtest.Bus(t)
	if _, err := systemd.Connect(t.Context(), bus.Address); !errors.Is(err, systemd.ErrNoManager) {
		t.Error(err)
	}
}

// TestMuteBus: a bus that takes connections and says nothing doesn't hold anybody up.
func TestMuteBus(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err = systemd.Connect(ctx, "unix:path="+path)
	if !errors.Is(err, systemd.ErrNoBus) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(begin); took > patience {
		t.Errorf("took %v", took)
	}
}
