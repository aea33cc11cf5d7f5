package config

var (
	blockers = []string{TypeFile, TypeRados}
	allTypes = []string{TypeFile, TypeRados, TypeMapper, TypeVlmcd, TypeNBD, TypeFuse}
)

var roleKeys = []Key{
	{
		Name: "portno", Doc: "Port of the role; a role with several has portno_start and portno_end.",
		Types: allTypes, rule: number(0, maxPorts-1), role: func(r *Role) any { return &r.PortStart },
	}, {
		Name: "portno_start", Doc: "First port of the role.",
		Types: allTypes, rule: number(0, maxPorts-1), role: func(r *Role) any { return &r.PortStart },
	}, {
		Name: "portno_end", Doc: "Last port of the role.",
		Types: allTypes, rule: number(0, maxPorts-1), role: func(r *Role) any { return &r.PortEnd },
	}, {
		Name: "log_level", Doc: "0 errors, 1 warnings, 2 events, 3 everything.",
		Types: allTypes, rule: number(0, maxLogLevel), role: func(r *Role) any { return &r.LogLevel },
	}, {
		Name: "nr_ops", Doc: "Requests that may be under way on each channel of the role.",
		Types: allTypes, rule: powerOfTwo(maxOps), role: func(r *Role) any { return &r.NrOps },
	}, {
		Name: "nr_threads", Doc: "Threads that serve requests.",
		Types: allTypes, rule: number(1, maxThreads), role: func(r *Role) any { return &r.NrThreads },
	}, {
		Name: "archip_dir", Doc: "Directory of the objects.",
		Types: []string{TypeFile}, Required: true,
		rule: path(maxPathBytes), role: func(r *Role) any { return &r.ArchipDir },
	}, {
		Name: "lock_dir", Doc: "Directory of the locks; '' means under archip_dir.",
		Types: []string{TypeFile},
		rule:  orEmpty(path(maxPathBytes)), role: func(r *Role) any { return &r.LockDir },
	}, {
		Name: "fdcache", Doc: "Files kept open; at least twice nr_threads.",
		Types: []string{TypeFile},
		rule:  number(2, maxFDCache), role: func(r *Role) any { return &r.FDCache },
	}, {
		Name: "direct", Doc: "Bypass the page cache.",
		Types: []string{TypeFile}, rule: boolean(), role: func(r *Role) any { return &r.Direct },
	}, {
		Name: "cache", Doc: "writeback: a write is durable after a flush; writethrough: at once.",
		Types: []string{TypeFile}, rule: oneOf("writeback", "writethrough"),
		role: func(r *Role) any { return &r.Cache },
	}, {
		Name: "pool", Doc: "Pool of the objects.",
		Types: []string{TypeRados}, Required: true,
		rule: name(cephName, "the name of a pool"), role: func(r *Role) any { return &r.Pool },
	}, {
		Name: "cephx_id", Doc: "User of the Ceph cluster; '' means the cluster's default.",
		Types: []string{TypeRados},
		rule:  orEmpty(name(cephName, "the name of a user")),
		role:  func(r *Role) any { return &r.CephxID },
	}, {
		Name: "blockerb_port", Doc: "Port of the blocker that stores data.",
		Types: []string{TypeMapper}, Required: true,
		rule: number(0, maxPorts-1), role: func(r *Role) any { return &r.BlockerbPort },
	}, {
		Name: "blockerm_port", Doc: "Port of the blocker that stores maps.",
		Types: []string{TypeMapper}, Required: true,
		rule: number(0, maxPorts-1), role: func(r *Role) any { return &r.BlockermPort },
	}, {
		Name: "blocker_port", Doc: "Port of the blocker that stores data.",
		Types: []string{TypeVlmcd}, Required: true,
		rule: number(0, maxPorts-1), role: func(r *Role) any { return &r.BlockerbPort },
	}, {
		Name: "mapper_port", Doc: "Port of the mapper.",
		Types: []string{TypeVlmcd, TypeNBD, TypeFuse}, Required: true,
		rule: number(0, maxPorts-1), role: func(r *Role) any { return &r.MapperPort },
	}, {
		Name: "vlmcd_port", Doc: "First port of the composer.",
		Types: []string{TypeNBD, TypeFuse}, Required: true,
		rule: number(0, maxPorts-1), role: func(r *Role) any { return &r.VlmcdPort },
	}, {
		Name:  "copy_up_rate",
		Doc:   "KiB a second that are copied in the background to shorten chains; 0: none.",
		Types: []string{TypeVlmcd},
		rule:  number(0, maxCopyUp), role: func(r *Role) any { return &r.CopyUpRate },
	}, {
		Name: "socket", Doc: "Path of the NBD socket; '' means nbd.sock in RUNTIME_DIR.",
		Types: []string{TypeNBD},
		rule:  orEmpty(path(maxSocket)), role: func(r *Role) any { return &r.Socket },
	}, {
		Name: "max_clients", Doc: "Connections at once; more are refused.",
		Types: []string{TypeNBD},
		rule:  number(1, maxClients), role: func(r *Role) any { return &r.MaxClients },
	}, {
		Name: "max_requests", Doc: "Requests of a connection that are served at once; more wait.",
		Types: []string{TypeNBD},
		rule:  number(1, maxRequests), role: func(r *Role) any { return &r.MaxRequests },
	}, {
		Name: "client_memory", Doc: "MiB of data under way for a connection; more waits.",
		Types: []string{TypeNBD},
		rule:  number(minMemory, maxMemory), role: func(r *Role) any { return &r.ClientMemory },
	}, {
		Name: "buffer_memory", Doc: "MiB of buffers in the segment that connections share, per thread of vlmcd.",
		Types: []string{TypeNBD},
		rule:  number(minMemory, maxMemory), role: func(r *Role) any { return &r.BufferMemory },
	}, {
		Name:  "stall_memory",
		Doc:   "MiB for the data of clients that take no replies; beyond it they are disconnected.",
		Types: []string{TypeNBD},
		rule:  number(minMemory, maxMemory), role: func(r *Role) any { return &r.StallMemory },
	}, {
		Name: "mountpoint", Doc: "Directory in which the volumes appear as files; '' means volumes in RUNTIME_DIR.",
		Types: []string{TypeFuse},
		rule:  orEmpty(path(maxPathBytes)), role: func(r *Role) any { return &r.Mountpoint },
	},
}

// roleKey returns the key of that name that roles of type typ have, or nil.
func roleKey(typ, name string) *Key {
	for i := range roleKeys {
		if roleKeys[i].Name == name && roleKeys[i].has(typ) {
			return &roleKeys[i]
		}
	}
	return nil
}

func (k *Key) has(typ string) bool {
	for _, t := range k.Types {
		if t == typ {
			return true
		}
	}
	return false
}

// roleKeyNames returns the names of the keys that roles of type typ have.
func roleKeyNames(typ string) []string {
	var names []string
	for i := range roleKeys {
		if roleKeys[i].has(typ) {
			names = append(names, roleKeys[i].Name)
		}
	}
	return names
}
