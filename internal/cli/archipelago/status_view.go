package archipelago

import (
	"time"

	"archipelago/internal/device"
	"archipelago/internal/node"
)

// statusView is what `status` shows, and as it is what --json prints: fields are added, never
// changed.
type statusView struct {
	node.Report
	Manager     string           `json:"manager"`                // systemd, run, or "" where neither runs the node
	Memory      int64            `json:"memory_bytes,omitempty"` // of the one process that all roles share
	SegmentUsed int64            `json:"segment_used_bytes"`
	Lease       *leaseStatus     `json:"lease,omitempty"` // none: it never ends
	Seconds     float64          `json:"seconds"`         // that rates are of; 0: none are known
	Peers       []roleStatus     `json:"roles"`           // in place of those of Report
	Modules     []module         `json:"modules"`
	Mapped      []device.Mapping `json:"mapped"`
	Locks       []string         `json:"locks"` // names of the volumes that this node holds the lock of
	Stores      []storeStatus    `json:"stores"`
	Unknown     []string         `json:"unknown,omitempty"` // what couldn't be looked at, and why
}

// roleStatus is what is known of a role.
type roleStatus struct {
	node.RoleReport
	Detail      string    `json:"detail,omitempty"` // what else is known of its state
	Since       time.Time `json:"since,omitzero"`   // when its process began; if it has none of its own, its state
	Restarts    int       `json:"restarts"`         // after a death; -1 = not known
	Memory      int64     `json:"memory_bytes"`     // of its own, without the segment; -1 = not known, or shared
	PerSecond   float64   `json:"requests_per_s"`
	CgroupBytes int64     `json:"cgroup_bytes,omitempty"` // as its unit counts it, page cache included
}

// leaseStatus is the lease of the node on its storage.
type leaseStatus struct {
	Term   uint64 `json:"term"`
	LeftMS int64  `json:"left_ms"` // negative: since it ended
}

// module is a kernel module that mapped devices may need.
type module struct {
	Name   string `json:"name"`
	Loaded bool   `json:"loaded"`
}

// storeStatus is the room where a role stores its objects.
type storeStatus struct {
	Role  string `json:"role"`
	Path  string `json:"path"`
	Total int64  `json:"total_bytes"`
	Free  int64  `json:"free_bytes"` // to whom isn't root
}
