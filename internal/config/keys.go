package config

// Key describes one key of the file: the single source for reading, showing and the manual.
type Key struct {
	Name     string
	Doc      string   // one sentence
	Types    []string // role types that have it; nil for a key at the top of the file
	Required bool

	rule   rule
	global func(*Config) any // pointer to the field: *int, *string or *bool
	role   func(*Role) any
}

// Allowed returns the values that the key allows, in words.
func (k *Key) Allowed() string { return k.rule.text }

// Keys returns every key in the order of the manual: those at the top of the file, then those of
// roles. `roles` itself isn't among them. The caller must not change them.
func Keys() []Key { return append(append([]Key{}, globalKeys...), roleKeys...) }

var globalKeys = []Key{
	{
		Name: "SEGMENT_TYPE", Doc: "Kind of shared memory that the peers of the node meet in.",
		rule: oneOf("posix"), global: func(c *Config) any { return &c.SegmentType },
	}, {
		Name: "SEGMENT_NAME", Doc: "Name of the segment, a file in /dev/shm.",
		rule:   name(segmentName, "1 to 63 of A-Z a-z 0-9 . _ -, not starting with a dot"),
		global: func(c *Config) any { return &c.SegmentName },
	}, {
		Name: "SEGMENT_PORTS", Doc: "Number of ports in the segment.",
		rule: number(minPorts, maxPorts), global: func(c *Config) any { return &c.SegmentPorts },
	}, {
		Name: "SEGMENT_SIZE", Doc: "Size of the segment in MiB; memory is taken as it is needed.",
		rule: number(minSize, maxSize), global: func(c *Config) any { return &c.SegmentSize },
	}, {
		Name: "SEGMENT_ALIGNMENT", Doc: "Page shift of the segment.",
		rule: exactly(onlyAlign), global: func(c *Config) any { return &c.SegmentAlignment },
	}, {
		Name: "RUNTIME_DIR", Doc: "Directory of the sockets.",
		rule: path(maxRuntime), global: func(c *Config) any { return &c.RuntimeDir },
	}, {
		Name: "XSEGBD_START", Doc: "First port of the mapped devices.",
		rule: number(0, maxPorts-1), global: func(c *Config) any { return &c.XsegbdStart },
	}, {
		Name: "XSEGBD_END", Doc: "Last port of the mapped devices.",
		rule: number(0, maxPorts-1), global: func(c *Config) any { return &c.XsegbdEnd },
	}, {
		Name: "VTOOL_START", Doc: "First port of the command line tools.",
		rule: number(0, maxPorts-1), global: func(c *Config) any { return &c.VtoolStart },
	}, {
		Name: "VTOOL_END", Doc: "Last port of the command line tools.",
		rule: number(0, maxPorts-1), global: func(c *Config) any { return &c.VtoolEnd },
	}, {
		Name: "CEPH_CONF_FILE", Doc: "Configuration of the Ceph cluster, for rados_blocker.",
		rule: path(maxPathBytes), global: func(c *Config) any { return &c.CephConf },
	}, {
		Name: "node_name", Doc: "Name under which this node holds locks; '' means the host name.",
		rule:   orEmpty(name(nodeName, "1 to 63 of A-Z a-z 0-9 . _ -, starting with a letter or digit")),
		global: func(c *Config) any { return &c.NodeName },
	}, {
		Name: "map_driver", Doc: "What makes a volume a block device.",
		rule: oneOf("auto", "xsegbd", "nbd", "loop"), global: func(c *Config) any { return &c.MapDriver },
	}, {
		Name: "nodes", Doc: "Whether this node alone uses the storage, or several share it.",
		rule: oneOf("single", "shared"), global: func(c *Config) any { return &c.Nodes },
	},
}
