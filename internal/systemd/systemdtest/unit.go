package systemdtest

import (
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
)

// load returns the object of a unit; one that isn't installed has an object, too.
func (m *Manager) load(name string) (dbus.ObjectPath, *dbus.Error) {
	path := root + "/unit/" + objectName(name)
	m.export(path, name)
	return path, nil
}

// export makes the properties of a unit readable, those of all its interfaces at once.
func (m *Manager) export(path dbus.ObjectPath, name string) {
	all := func(string) (map[string]dbus.Variant, *dbus.Error) { return m.properties(name), nil }
	// Fails only for tables that aren't of methods.
	_ = m.conn.ExportMethodTable(map[string]any{"GetAll": all}, path, "org.freedesktop.DBus.Properties")
}

func (m *Manager) properties(name string) map[string]dbus.Variant {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units[name]
	if u == nil {
		return map[string]dbus.Variant{
			"LoadState": dbus.MakeVariant("not-found"), "ActiveState": dbus.MakeVariant("inactive"),
		}
	}
	s := &u.state
	result, memory := s.Result, s.Memory
	if result == "" {
		result = "success"
	}
	if memory == 0 {
		memory = ^uint64(0) // no accounting
	}
	after := s.After
	if after == nil {
		after = []string{}
	}
	code := int32(0)
	if s.Status != 0 {
		code = 1 // CLD_EXITED
	}
	return map[string]dbus.Variant{
		"LoadState": dbus.MakeVariant("loaded"), "ActiveState": dbus.MakeVariant(s.Active),
		"SubState": dbus.MakeVariant(s.Sub), "Result": dbus.MakeVariant(result),
		"MainPID": dbus.MakeVariant(s.PID), "NRestarts": dbus.MakeVariant(s.Restarts),
		"ExecMainCode": dbus.MakeVariant(code), "ExecMainStatus": dbus.MakeVariant(s.Status),
		"MemoryCurrent": dbus.MakeVariant(memory), "ActiveEnterTimestamp": dbus.MakeVariant(s.Since),
		"After": dbus.MakeVariant(after),
	}
}

// objectName writes the name of a unit so that it can stand in the path of an object.
func objectName(name string) dbus.ObjectPath {
	var b strings.Builder
	for _, c := range []byte(name) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return dbus.ObjectPath(b.String())
}
