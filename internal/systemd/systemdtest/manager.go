package systemdtest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

const (
	service = "org.freedesktop.systemd1"
	root    = dbus.ObjectPath("/org/freedesktop/systemd1")
	manager = service + ".Manager"
)

// Behaviour says how the jobs of a unit run. The zero value: they are done at once.
type Behaviour struct {
	Result      string // of every job; "" = done
	Never       bool   // jobs don't end before Finish
	SignalFirst bool   // the end of a job is signalled before the reply names it
	Error       string // name of the error that calls get instead of a job
	Unit        State  // what the unit shows after a job that failed
}

// State is what a unit shows.
type State struct {
	Active   string // active, inactive, failed, …
	Sub      string
	Result   string
	Status   int32 // of the last main process
	PID      uint32
	Restarts uint32
	Memory   uint64
	Since    uint64 // microseconds since 1970
	After    []string
}

// Manager is the double. Its methods are safe for use beside calls.
type Manager struct {
	conn *dbus.Conn

	mu      sync.Mutex
	units   map[string]*unit
	jobs    uint32
	log     []string
	logged  chan struct{} // closed and replaced at each new line
	pending []func()      // ends of jobs that Never end
}

type unit struct {
	name  string
	path  dbus.ObjectPath
	how   Behaviour
	state State
}

// NewManager makes this process the system manager of a bus, until the test ends.
func NewManager(t testing.TB, d *Daemon) *Manager {
	t.Helper()
	conn, err := dbus.Connect(d.Address)
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	m := &Manager{conn: conn, units: map[string]*unit{}, logged: make(chan struct{})}
	check(t, conn.ExportMethodTable(map[string]any{
		"Subscribe":       func() *dbus.Error { return nil },
		"Reload":          func() *dbus.Error { m.note("reload"); return nil },
		"ResetFailedUnit": m.reset,
		"LoadUnit":        m.load,
		"StartUnit":       func(n, _ string) (dbus.ObjectPath, *dbus.Error) { return m.run("start", n) },
		"StopUnit":        func(n, _ string) (dbus.ObjectPath, *dbus.Error) { return m.run("stop", n) },
		"RestartUnit":     func(n, _ string) (dbus.ObjectPath, *dbus.Error) { return m.run("restart", n) },
	}, root, manager))
	reply, err := conn.RequestName(service, dbus.NameFlagDoNotQueue)
	check(t, err)
	if reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("the bus has a manager already: %v", reply)
	}
	return m
}

// Add installs a unit that is down.
func (m *Manager) Add(name string, how Behaviour) {
	m.Set(name, how, State{Active: "inactive", Sub: "dead"})
}

// Set installs a unit, or replaces one, in that state.
func (m *Manager) Set(name string, how Behaviour, state State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := root + "/unit/" + objectName(name)
	m.units[name] = &unit{name: name, path: path, how: how, state: state}
	m.export(path, name)
}

// State returns what a unit shows now.
func (m *Manager) State(name string) State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.units[name].state
}

// Log returns the jobs and other changes that were asked for, in order: "start a.service".
func (m *Manager) Log() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.log)
}

// Await returns when the log has n lines.
func (m *Manager) Await(n int) {
	for {
		m.mu.Lock()
		have, more := len(m.log), m.logged
		m.mu.Unlock()
		if have >= n {
			return
		}
		<-more
	}
}

// Finish ends the jobs of units with Never that were begun so far.
func (m *Manager) Finish() {
	m.mu.Lock()
	ends := m.pending
	m.pending = nil
	m.mu.Unlock()
	for _, end := range ends {
		end()
	}
}

func (m *Manager) note(line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, line)
	close(m.logged)
	m.logged = make(chan struct{})
}

func (m *Manager) reset(name string) *dbus.Error {
	m.note("reset " + name)
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units[name]
	if u == nil {
		return dbus.NewError(service+".NoSuchUnit", []any{"Unit " + name + " not loaded."})
	}
	if u.state.Active == "failed" {
		u.state.Active, u.state.Sub, u.state.Result = "inactive", "dead", ""
	}
	return nil
}

// run is one job.
func (m *Manager) run(verb, name string) (dbus.ObjectPath, *dbus.Error) {
	m.note(verb + " " + name)
	m.mu.Lock()
	u := m.units[name]
	m.jobs++
	id := m.jobs
	m.mu.Unlock()
	if u == nil {
		return "", dbus.NewError(service+".NoSuchUnit", []any{"Unit " + name + " not found."})
	}
	if u.how.Error != "" {
		return "", dbus.NewError(u.how.Error, []any{"the double was told to refuse"})
	}
	job := root + "/job/" + dbus.ObjectPath(fmt.Sprint(id))
	end := func() { m.end(u, verb, id, job) }
	switch {
	case u.how.Never:
		m.mu.Lock()
		m.pending = append(m.pending, end)
		m.mu.Unlock()
	case u.how.SignalFirst:
		end()
	default:
		go end()
	}
	return job, nil
}

func (m *Manager) end(u *unit, verb string, id uint32, job dbus.ObjectPath) {
	m.mu.Lock()
	result := u.how.Result
	switch {
	case result != "" && result != "done":
		u.state = u.how.Unit
	case verb == "stop":
		u.state.Active, u.state.Sub, u.state.PID = "inactive", "dead", 0
	default:
		u.state.Active, u.state.Sub, u.state.PID = "active", "running", 1000+id
	}
	m.mu.Unlock()
	if result == "" {
		result = "done"
	}
	// Fails only when the bus is gone, which the caller sees for itself.
	_ = m.conn.Emit(root, manager+".JobRemoved", id, job, u.name, result)
}
