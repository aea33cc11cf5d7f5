// Package config reads the configuration of a node into one typed, validated struct, whether it
// comes from a file (archipelago.conf) or is the built-in one of a node in a directory (-d DIR).
//
// The file has the form of Python assignments. It is parsed, never executed: only literals are
// allowed, and everything that is wrong with it is reported at once, each with line and column.
// One table (keys.go, role_keys.go) holds every key with its type, limits, default and meaning;
// reading, checking, showing and the manual all go by it.
//
// The package looks at no storage and no segment; CheckHost alone looks at the file system.
package config

// Peer types.
const (
	TypeFile   = "file_blocker"
	TypeRados  = "rados_blocker"
	TypeMapper = "mapperd"
	TypeVlmcd  = "vlmcd"
	TypeNBD    = "nbdd"
	TypeFuse   = "fused"
)

// Config is the whole configuration of a node.
type Config struct {
	Path string // of the file; "" for a built-in one
	Dir  string // absolute, for a node in a directory; else ""

	SegmentType      string // only "posix"
	SegmentName      string
	SegmentPorts     int
	SegmentSize      int // MiB
	SegmentAlignment int // page shift, only 12

	RuntimeDir string // sockets; short, see xseg.CreateOptions
	PendingDir string // pending logs, on tmpfs: survives every process, not a power cut

	NodeName string
	Nodes    string // "single" or "shared"
	// MapDriver makes block devices of volumes: "auto", "xsegbd", "nbd" or "loop".
	MapDriver string
	CephConf  string // path

	XsegbdStart, XsegbdEnd int
	VtoolStart, VtoolEnd   int

	Roles []Role // in start order

	origins map[string]Origin
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

	// rados_blocker
	Pool    string
	CephxID string // "" = the cluster's default user

	// mapperd, vlmcd, nbdd, fused
	BlockerbPort int // data blocker
	BlockermPort int // map blocker
	MapperPort   int
	VlmcdPort    int // first port of vlmcd

	// vlmcd
	CopyUpRate int // KiB a second, for each thread; 0 = none

	// nbdd
	Socket       string // path of the NBD socket
	MaxClients   int    // connections at once
	MaxRequests  int    // under way, per connection
	ClientMemory int    // MiB of data under way, per connection
	BufferMemory int    // MiB in the segment for each thread of vlmcd
	StallMemory  int    // MiB beside the segment, for all clients that stall

	// fused
	Mountpoint string // directory in which the volumes appear as files
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
