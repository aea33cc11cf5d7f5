package metrics

import (
	"strconv"

	"archipelago/internal/config"
	"archipelago/xseg"
)

var (
	roleUp      = gauge("role_up", "Whether all ports of a configured role are served.", "role", "type")
	roleCPU     = counter("role_cpu_seconds_total", "Processor time of the process of a role.", "role")
	roleMemory  = gauge("role_memory_bytes", "Resident memory of the process of a role, without the segment.", "role")
	roleFiles   = gauge("role_open_files", "Files that the process of a role has open; missing if that can't be seen.", "role")
	roleStarted = gauge("role_start_time_seconds", "When the process of a role was started, in seconds since 1970.", "role")

	portRequests = counter("port_requests_total", "Requests that a port received and that have ended.", "role", "port")
	portErrors   = counter("port_request_errors_total", "Of them, those that failed.", "role", "port")
	portRead     = counter("port_read_bytes_total", "Bytes that READ requests to a port returned.", "role", "port")
	portWritten  = counter("port_written_bytes_total", "Bytes that WRITE requests to a port stored.", "role", "port")
	portInFlight = gauge("port_requests_in_flight", "Requests that a port has received and not answered.", "role", "port")
	portLatency  = histogram("port_request_duration_seconds", "From the receipt of a request at a port to its answer.", "role", "port")
	clients      = gauge("clients", "Ports in use that belong to no role: tools, devices and programs.")
)

// ports puts the counters of the ports of roles. Those of others come and go with each command, and
// would each be a series for ever.
func ports(out sink, cfg *config.Config, list []xseg.PortInfo) {
	others := 0
	for i := range list {
		p := &list[i]
		if cfg.Role(p.Role) == nil {
			others += int(boolean(p.Alive))
			continue
		}
		c, role, no := &p.Counters, p.Role, strconv.Itoa(int(p.No))
		out.put(portRequests, float64(c.Requests), role, no)
		out.put(portErrors, float64(c.Errors), role, no)
		out.put(portRead, float64(c.BytesRead), role, no)
		out.put(portWritten, float64(c.BytesWritten), role, no)
		out.put(portInFlight, float64(c.InFlight), role, no)
		out.latency(portLatency, &c.Latency, role, no)
	}
	out.put(clients, float64(others))
}

// sharedRole stands for all roles of a node that share one process, in what is about the process.
const sharedRole = "all"

// roles puts which roles are up, and what their processes use: a process that several share once, so
// that sums over roles stay right.
func roles(out sink, cfg *config.Config, list []xseg.PortInfo) {
	served := map[int][]string{} // by process
	for i := range cfg.Roles {
		r := &cfg.Roles[i]
		pid, alive := 0, 0
		for j := range list {
			if list[j].Role == r.Name && list[j].Alive {
				pid = list[j].PID
				alive++
			}
		}
		out.put(roleUp, boolean(alive >= wanted(r)), r.Name, r.Type)
		if pid != 0 {
			served[pid] = append(served[pid], r.Name)
		}
	}
	for pid, names := range served {
		if len(names) > 1 {
			names[0] = sharedRole
		}
		process(out, names[0], pid)
	}
}

// wanted is how many ports a role serves.
func wanted(r *config.Role) int {
	if r.Type == config.TypeVlmcd {
		return max(1, r.NrThreads)
	}
	return 1
}
