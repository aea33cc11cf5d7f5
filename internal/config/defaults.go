package config

import (
	"os"
	"path/filepath"
)

// nbdSocket is the name of the NBD socket in the runtime directory.
const nbdSocket = "nbd.sock"

// defaults returns what holds for keys that a file doesn't give. It has no roles.
func defaults() *Config {
	return &Config{
		SegmentType:      "posix",
		SegmentName:      "archipelago",
		SegmentPorts:     2048,
		SegmentSize:      5120,
		SegmentAlignment: onlyAlign,
		RuntimeDir:       "/run/archipelago",
		Nodes:            "shared",
		MapDriver:        "auto",
		CephConf:         "/etc/ceph/ceph.conf",
		XsegbdStart:      0,
		XsegbdEnd:        499,
		VtoolStart:       1003,
		VtoolEnd:         1022,
		origins:          map[string]Origin{},
	}
}

// derive sets what follows from other keys. Pending logs lie beside the segment, so that they
// live exactly as long as the memory of the machine does.
func (c *Config) derive() {
	c.PendingDir = filepath.Join("/dev/shm", c.SegmentName+".pending")
	if c.NodeName == "" {
		c.NodeName = hostName()
	}
}

// hostName returns the host's name, or "localhost" where it has none that could name a node.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || !nodeName.MatchString(name) {
		return "localhost"
	}
	return name
}

func roleDefaults(name, typ string) Role {
	r := Role{Name: name, Type: typ, LogLevel: 2, NrOps: 512, NrThreads: 1}
	switch typ {
	case TypeFile:
		r.NrOps, r.NrThreads, r.FDCache, r.Cache = 64, 64, 8192, "writeback"
	case TypeNBD:
		r.NrOps, r.MaxClients, r.MaxRequests = 256, 1024, 256
		r.ClientMemory, r.BufferMemory, r.StallMemory = 32, 64, 256
	case TypeFuse:
		r.NrOps = 256
	}
	return r
}
