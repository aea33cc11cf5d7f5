package node

import (
	"errors"
	"fmt"

	"archipelago/internal/config"
	"archipelago/xseg"
)

// Report is the state of a node, as its segment shows it.
type Report struct {
	Running    bool         `json:"running"`    // the segment is there and every role runs
	Supervisor int          `json:"supervisor"` // pid of `archipelago run`; 0 = none
	InProcess  bool         `json:"in_process"` // the roles run in the supervisor's process
	Segment    string       `json:"segment"`
	Joined     bool         `json:"segment_present"`
	Ports      int          `json:"segment_ports"`
	SizeMiB    int          `json:"segment_mib"`
	Socket     string       `json:"nbd_socket,omitempty"`
	Clients    int          `json:"clients"` // bound ports that belong to no role
	Roles      []RoleReport `json:"roles"`
}

// RoleReport is the state of one role. Counters are sums over its ports.
type RoleReport struct {
	Role         string `json:"role"`
	Type         string `json:"type"`
	Port         int    `json:"port"`
	State        string `json:"state"` // StateRunning or StateDown
	PID          int    `json:"pid"`   // 0 = none
	Requests     uint64 `json:"requests"`
	Errors       uint64 `json:"errors"`
	BytesRead    uint64 `json:"bytes_read"`
	BytesWritten uint64 `json:"bytes_written"`
	InFlight     uint64 `json:"in_flight"`
}

// States of a role.
const (
	StateRunning = "running"
	StateDown    = "not running"
)

// Status looks at a node. It asks nobody: peers that hang don't hold it up. A node that doesn't
// run is a Report, not an error.
func Status(cfg *config.Config) (*Report, error) {
	rep := &Report{Segment: cfg.SegmentName, Ports: cfg.SegmentPorts, SizeMiB: cfg.SegmentSize,
		Supervisor: holder(cfg)}
	if r := cfg.ByType(config.TypeNBD); r != nil {
		rep.Socket = r.Socket
	}
	ports, err := bound(cfg.SegmentName)
	if err != nil && !errors.Is(err, xseg.ErrNoSegment) {
		return nil, fmt.Errorf("segment %s: %w", cfg.SegmentName, err)
	}
	rep.Joined = err == nil
	rep.Running = rep.Joined
	for i := range cfg.Roles {
		r := roleReport(&cfg.Roles[i], ports)
		rep.Roles = append(rep.Roles, r)
		rep.Running = rep.Running && r.State == StateRunning
		rep.InProcess = rep.InProcess || r.PID != 0 && r.PID == rep.Supervisor
	}
	for _, p := range ports {
		if p.Alive && roleOfPort(cfg, int(p.No)) == nil {
			rep.Clients++
		}
	}
	return rep, nil
}

func bound(segment string) ([]xseg.PortInfo, error) {
	seg, err := xseg.Join(segment)
	if err != nil {
		return nil, err
	}
	ports := seg.Ports()
	return ports, seg.Leave()
}

func roleReport(r *config.Role, ports []xseg.PortInfo) RoleReport {
	rep := RoleReport{Role: r.Name, Type: r.Type, Port: r.PortStart, State: StateDown}
	for _, p := range ports {
		if int(p.No) < r.PortStart || int(p.No) > r.PortEnd {
			continue
		}
		if p.Alive {
			rep.State, rep.PID = StateRunning, p.PID
		}
		c := &p.Counters
		rep.Requests += c.Requests
		rep.Errors += c.Errors
		rep.BytesRead += c.BytesRead
		rep.BytesWritten += c.BytesWritten
		rep.InFlight += c.InFlight
	}
	return rep
}
