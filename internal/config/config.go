// Package config reads the configuration of a node into one typed, validated struct, whether it
// comes from a file (archipelago.conf) or is the built-in one of a node in a directory (-d DIR).
package config

// Peer types.
const (
	TypeFile   = "file_blocker"
	TypeRados  = "rados_blocker"
	TypeMapper = "mapperd"
	TypeVlmcd  = "vlmcd"
	TypeNBD    = "nbdd"
	TypeFUSE   = "fused"
)

// Config is the whole configuration of a node.
type Config struct {
	Path string // of the file; "" for a built-in one
	Dir  string // absolute, for a node in a directory; else ""

	SegmentName  string
	SegmentPorts int
	SegmentSize  int    // MiB
	RuntimeDir   string // sockets; short, see xseg.CreateOptions
	PendingDir   string // pending logs, on tmpfs: survives every process, not a power cut

	NodeName string
	Nodes    string // "single" or "shared"

	XsegbdStart, XsegbdEnd int
	VtoolStart, VtoolEnd   int

	Roles []Role // in start order
}

// Role is one configured peer. Fields that its type doesn't use are zero.
type Role struct {
	Name string
	Type string

	PortStart, PortEnd int // PortEnd = PortStart for a single port
	LogLevel           int // 0-3
	NrOps              int // slots of each channel that the role connects
	NrThreads          int

	// file_blocker
	ArchipDir string
	LockDir   string // "" = under ArchipDir
	FDCache   int
	Direct    bool
	Cache     string // "writeback" or "writethrough"

	// mapperd, vlmcd, nbdd
	BlockerbPort int // data blocker
	BlockermPort int // map blocker
	MapperPort   int
	VlmcdPort    int // first port of vlmcd

	// nbdd
	Socket string // path of the NBD socket
}

// Role returns the role of that name, or nil.
func (c *Config) Role(name string) *Role {
	for i := range c.Roles {
		if c.Roles[i].Name == name {
			return &c.Roles[i]
		}
	}
	return nil
}

// ByType returns the first role of that type, or nil.
func (c *Config) ByType(typ string) *Role {
	for i := range c.Roles {
		if c.Roles[i].Type == typ {
			return &c.Roles[i]
		}
	}
	return nil
}
