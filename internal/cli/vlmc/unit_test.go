package vlmc

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"archipelago/internal/config"
	"archipelago/internal/device"
	"archipelago/internal/systemd"
	"archipelago/internal/systemd/systemdtest"
)

const heldUnit = `archipelago-map@web\x2d1.service`

// unitNode is a node that systemd, which is a double, may run.
func unitNode(t *testing.T) (*config.Config, *systemdtest.Manager) {
	bus := systemdtest.Bus(t)
	double := systemdtest.NewManager(t, bus)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.Address)
	cfg := &config.Config{
		Path:  filepath.Join(t.TempDir(), "conf"),
		Roles: []config.Role{{Name: "nbdd", Type: config.TypeNBD}},
	}
	before := unitConfig
	unitConfig = cfg.Path
	t.Cleanup(func() { unitConfig = before })
	return cfg, double
}

// TestUnitHolds: where systemd runs the node a unit holds the device.
func TestUnitHolds(t *testing.T) {
	cfg, double := unitNode(t)
	double.Set(systemd.Peer("nbdd"), systemdtest.Behaviour{}, systemdtest.State{Active: "active"})
	double.Add(heldUnit, systemdtest.Behaviour{})
	h, err := startHolder(context.Background(), cfg, "web-1")
	if err != nil || h != (device.Holder{PID: int(double.State(heldUnit).PID), Unit: heldUnit}) || h.PID == 0 {
		t.Errorf("%+v, %v", h, err)
	}
	if err := stopUnit(context.Background(), h.Unit); err != nil {
		t.Error(err)
	}
	if got, want := double.Log(), []string{"start " + heldUnit, "stop " + heldUnit}; !slices.Equal(got, want) {
		t.Errorf("jobs %q, want %q", got, want)
	}
}

// TestUnitFails: why the unit of a device didn't start is told.
func TestUnitFails(t *testing.T) {
	cfg, double := unitNode(t)
	double.Set(systemd.Peer("nbdd"), systemdtest.Behaviour{}, systemdtest.State{Active: "active"})
	double.Add(heldUnit, systemdtest.Behaviour{
		Result: "failed", Unit: systemdtest.State{Active: "failed", Result: "exit-code", Status: 12},
	})
	_, err := startHolder(context.Background(), cfg, "web-1")
	if err == nil || !strings.Contains(err.Error(), heldUnit+": exit status 12") {
		t.Error(err)
	}
}

// TestNobodysUnit: on a node that systemd doesn't run no unit is started.
func TestNobodysUnit(t *testing.T) {
	cfg, double := unitNode(t)
	none := func(why string) {
		t.Helper()
		if m, err := unitManager(context.Background(), cfg); m != nil || err != nil {
			t.Errorf("%s: %v, %v", why, m, err)
		}
	}
	none("no unit of nbdd is installed")
	double.Add(systemd.Peer("nbdd"), systemdtest.Behaviour{})
	none("archipelago run, of the configuration of the system")
	double.Set(systemd.Peer("nbdd"), systemdtest.Behaviour{}, systemdtest.State{Active: "active"})
	unitConfig = config.DefaultPath
	none("a node of another configuration")
	unitConfig = cfg.Path
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	none("no bus")
}

// TestUnitFile holds what the unit and the command must agree on: how it calls the command, and that
// it doesn't start it again when the volume isn't mapped any more.
func TestUnitFile(t *testing.T) {
	text, err := os.ReadFile("../../../systemd/archipelago-map@.service")
	if err != nil {
		t.Fatal(err)
	}
	gone := &device.NotMappedError{What: "web"}
	if gone.ExitCode() != 10 {
		t.Errorf("exit status %d", gone.ExitCode())
	}
	for _, line := range []string{
		"ExecStart=/usr/bin/vlmc map --hold -- %I", "Type=notify", "Restart=always",
		"RestartPreventExitStatus=10", "SuccessExitStatus=10",
	} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
}

// TestTellManager: a service manager hears that the work has begun.
func TestTellManager(t *testing.T) {
	tellManager() // nobody listens

	// Not t.TempDir: the path of a socket must be short.
	dir, err := os.MkdirTemp("", "archip-test-notify-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "socket")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	tellManager()
	b := make([]byte, 32)
	n, err := c.Read(b)
	if err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("%q, %v", b[:n], err)
	}
}
