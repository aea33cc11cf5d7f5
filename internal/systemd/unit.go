package systemd

import (
	"context"
	"fmt"
	"math"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// Unit is the state of a unit. What its type doesn't have is zero.
type Unit struct {
	Name        string
	LoadState   string // loaded, not-found, masked, bad-setting, error
	ActiveState string // active, activating, deactivating, inactive, failed
	SubState    string // running, auto-restart, exited, dead, …
	FileState   string // enabled, disabled, static, …
	After       []string

	// Of services.
	Result     string // success, exit-code, signal, watchdog, timeout, start-limit-hit, …
	PID        int    // of the main process; 0 = none
	Restarts   int    // by the manager itself, since the unit was started
	ExitCode   int    // CLD_EXITED, CLD_KILLED, CLD_DUMPED of the last main process; 0 = none
	ExitStatus int    // its exit status, or the signal
	Since      time.Time
	Memory     int64 // bytes; -1 = not known (no accounting)
	Status     string
}

// Active says whether the unit is up.
func (u *Unit) Active() bool { return u.ActiveState == "active" }

// Down says whether the unit is down and stays so: it runs not, and nothing is about to start it.
func (u *Unit) Down() bool { return u.ActiveState == "inactive" || u.ActiveState == "failed" }

// How a process has ended, as wait(2) says it.
const (
	childExited = 1
	childKilled = 2
	childDumped = 3
)

// Cause says in words why the unit is not up; "" if nothing is known to be wrong.
func (u *Unit) Cause() string {
	switch u.Result {
	case "", "success":
		return ""
	case "exit-code":
		return fmt.Sprintf("exit status %d", u.ExitStatus)
	case "signal", "core-dump":
		return "killed by signal " + syscall.Signal(u.ExitStatus).String()
	case "watchdog":
		return "it gave no sign of life and was killed"
	case "timeout":
		return "it took too long"
	case "start-limit-hit":
		return "started too often"
	case "protocol":
		return "it ended before it was ready" + u.lastStatus()
	case "resources":
		return "the system lacks what it needs"
	}
	return u.Result
}

func (u *Unit) lastStatus() string {
	switch u.ExitCode {
	case childExited:
		return fmt.Sprintf(" (exit status %d)", u.ExitStatus)
	case childKilled, childDumped:
		return fmt.Sprintf(" (signal %s)", syscall.Signal(u.ExitStatus))
	}
	return ""
}

// Unit looks at a unit. One that isn't installed is ErrNoUnit; one that is down is no error.
func (m *Manager) Unit(ctx context.Context, name string) (*Unit, error) {
	var path dbus.ObjectPath
	if err := m.call(ctx, object, manager+".LoadUnit", []any{&path}, name); err != nil {
		return nil, about("look at", name, err)
	}
	props := properties{}
	// "" means those of all interfaces of the object, in one call.
	err := m.call(ctx, path, "org.freedesktop.DBus.Properties.GetAll", []any{&props}, "")
	if err != nil {
		return nil, about("look at", name, err)
	}
	u := props.unit(name)
	if u.LoadState == "not-found" {
		return u, about("look at", name, ErrNoUnit)
	}
	return u, nil
}

// Reload makes the manager read all unit files again, and run its generators.
func (m *Manager) Reload(ctx context.Context) error {
	if err := m.call(ctx, object, manager+".Reload", nil); err != nil {
		return fmt.Errorf("reload units: %w", err)
	}
	return nil
}

// properties are those of a unit as the bus gives them. A missing one, or one of another type than
// expected, counts as zero: a later systemd may change what isn't essential.
type properties map[string]dbus.Variant

func (p properties) unit(name string) *Unit {
	u := &Unit{Name: name, Memory: -1}
	u.LoadState, u.ActiveState, u.SubState = p.text("LoadState"), p.text("ActiveState"), p.text("SubState")
	u.FileState, u.Result, u.Status = p.text("UnitFileState"), p.text("Result"), p.text("StatusText")
	u.After, _ = p["After"].Value().([]string)
	u.PID, u.Restarts = int(p.number("MainPID")), int(p.number("NRestarts"))
	u.ExitCode, u.ExitStatus = int(p.number("ExecMainCode")), int(p.number("ExecMainStatus"))
	if since := p.number("ActiveEnterTimestamp"); since > 0 {
		u.Since = time.UnixMicro(int64(since))
	}
	// All ones stands for "no accounting".
	if memory, ok := p["MemoryCurrent"].Value().(uint64); ok && memory <= math.MaxInt64 {
		u.Memory = int64(memory)
	}
	return u
}

func (p properties) text(name string) string {
	s, _ := p[name].Value().(string)
	return s
}

func (p properties) number(name string) uint64 {
	switch n := p[name].Value().(type) {
	case uint32:
		return uint64(n)
	case int32:
		return uint64(max(n, 0))
	case uint64:
		return n
	}
	return 0
}
