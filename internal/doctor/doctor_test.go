package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// healthy is a node in which nothing is wrong: tests break one thing of it. It doesn't run.
func healthy(t *testing.T) *env {
	t.Helper()
	// Not t.TempDir: paths of sockets are short.
	dir, err := os.MkdirTemp("", "archip-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, d := range []string{"blocks", "maps", "locks"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	cfg, err := config.ForDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.RuntimeDir = filepath.Join(dir, "run")
	e := newEnv(Options{Load: func() (*config.Config, error) { return cfg, nil }})
	t.Cleanup(e.close)
	e.proc, e.shm, e.sys, e.modules = filepath.Join(dir, "proc"), filepath.Join(dir, "shm"), dir, dir
	e.synced = func() (bool, error) { return true, nil }
	e.space = func(string) (space, error) { return space{"ext4", 1 << 40, 1 << 39, 1000, 500}, nil }
	for _, d := range []string{e.proc, e.shm, filepath.Join(dir, "module/nbd")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(e.proc, "meminfo"), "MemAvailable: 8000000 kB\n")
	e.space = e.withShared(1<<34, 1<<33)
	return e
}

// withShared makes /dev/shm a tmpfs of a size, and everything else what it was.
func (e *env) withShared(size, avail int64) func(string) (space, error) {
	old := e.space
	return func(dir string) (space, error) {
		if dir == e.shm {
			return space{kind: "tmpfs", sizeBytes: size, availBytes: avail}, nil
		}
		return old(dir)
	}
}

// storage makes every directory of the storage lie on a file system of its own.
func (e *env) onStorage(s space) {
	old := e.space
	e.space = func(dir string) (space, error) {
		if dir == e.shm {
			return old(dir)
		}
		return s, nil
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// running gives the node a segment with a port of each role, held by this process.
func running(t *testing.T, e *env) *xsegtest.Peer {
	t.Helper()
	n := xsegtest.NewSized(t, 2048, 64)
	e.cfg.SegmentName, e.cfg.RuntimeDir = n.Name, n.RuntimeDir
	p := n.Peer(t)
	for i := range e.cfg.Roles {
		r := &e.cfg.Roles[i]
		p.Bind(xseg.PortNo(r.PortStart), xseg.BindOptions{Role: r.Name})
		r.Socket = "" // no clients
	}
	e.look(t)
	pid := filepath.Join(e.proc, fmt.Sprint(os.Getpid()))
	write(t, filepath.Join(pid, "limits"), "Max open files            1048576              1048576              files\n")
	link(t, filepath.Join(e.bin, "archip-peer"), filepath.Join(pid, "exe"))
	return p
}

// look is what newEnv does with a segment.
func (e *env) look(t *testing.T) {
	t.Helper()
	e.close()
	if e.seg, e.segErr = xseg.Join(e.cfg.SegmentName); e.segErr == nil {
		e.ports = e.seg.Ports()
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	_ = os.Remove(path)
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func result(t *testing.T, e *env, name string) Result {
	t.Helper()
	for _, c := range checks {
		if c.name == name {
			return e.one(context.Background(), c, 5*time.Second)
		}
	}
	t.Fatalf("no check %s", name)
	return Result{}
}

// TestHealthy: nothing is found where nothing is wrong, running or not.
func TestHealthy(t *testing.T) {
	e := healthy(t)
	running(t, e)
	if r := e.run(context.Background(), 5*time.Second); r.Problems+r.Warnings > 0 || len(r.Checks) != len(checks) {
		t.Errorf("%d of %d checks\n%s", len(r.Checks), len(checks), strings.Join(r.Lines(80, plain), "\n"))
	}
	for _, c := range healthyChecks(t, e) {
		if c.Level != OK {
			t.Errorf("%+v", c)
		}
	}
}

func healthyChecks(t *testing.T, e *env) (list []Result) {
	for _, c := range checks {
		list = append(list, result(t, e, c.name))
	}
	return list
}

func plain(_ Level, s string) string { return s }

// lock writes generation n of the lock of a volume.
func lock(t *testing.T, e *env, uuid string, n int, node string, mode mapfmt.LockMode) {
	t.Helper()
	b, err := mapfmt.EncodeLock(&mapfmt.LockContent{Node: node, MachineID: [16]byte{1}, Incarnation: [16]byte{2}, Mode: mode, Taken: 1})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(e.cfg.Role("blockerm").LockDir, "l/=01", uuid, fmt.Sprint(n)), string(b))
}

const uuidA, uuidB = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"

// TestFires: each check finds what it is there for.
func TestFires(t *testing.T) {
	bad := errors.New("line 3, column 1: no such key\nline 9, column 2: not a port")
	for _, c := range []struct {
		name, check string
		level       Level
		text        string
		spoil       func(t *testing.T, e *env)
	}{
		{"broken file", "configuration", Problem, "line 9, column 2", func(t *testing.T, e *env) { e.cfg, e.err = nil, bad }},
		{"no node named", "configuration", Problem, "Name the node", func(t *testing.T, e *env) { e.cfg, e.err = nil, config.ErrNone }},
		{"no storage directory", "configuration", Problem, "archip_dir", func(t *testing.T, e *env) {
			e.cfg.Dir, e.cfg.Path = "", "x.conf"
			e.cfg.Role("blockerb").ArchipDir = "/nowhere/at/all"
		}},
		{"not running", "segment", Note, "archipelago run -d", func(*testing.T, *env) {}},
		{"other version", "segment", Problem, "another version", func(t *testing.T, e *env) { e.segErr = fmt.Errorf("join: %w", xseg.ErrVersion) }},
		{"no right", "segment", Problem, "member of group", func(t *testing.T, e *env) { e.segErr = fmt.Errorf("join: %w", os.ErrPermission) }},
		{"damaged", "segment", Problem, "damaged", func(t *testing.T, e *env) { e.segErr = xseg.ErrCorrupt }},
		{"role down", "segment", Problem, "not running: nbdd", func(t *testing.T, e *env) {
			running(t, e)
			e.ports = e.ports[:len(e.ports)-1] // the highest port is that of nbdd
		}},
		{"uncounted volumes", "segment", Note, "without counters", func(t *testing.T, e *env) {
			p := running(t, e)
			port := p.Bind(1500, xseg.BindOptions{Role: "more"})
			for i := 0; ; i++ {
				if _, err := port.ClaimVolume(xseg.UUID{1, byte(i), byte(i >> 8)}, "v", 1); err != nil {
					port.MissVolume()
					return
				}
			}
		}},
		{"runtime directory gone", "permissions", Problem, "nobody can connect", func(t *testing.T, e *env) {
			running(t, e)
			e.cfg.RuntimeDir = "/nowhere"
		}},
		{"runtime directory open to all", "permissions", Problem, "chmod o-w", func(t *testing.T, e *env) {
			mkdir(t, e.cfg.RuntimeDir, 0o777)
		}},
		{"segment open to all", "permissions", Problem, "what guests read", func(t *testing.T, e *env) {
			path := filepath.Join(e.shm, e.cfg.SegmentName)
			write(t, path, "")
			chmod(t, path, 0o666)
		}},
		{"shared memory full", "limits", Problem, "requests wait", func(t *testing.T, e *env) { e.space = e.withShared(1<<34, 1<<20) }},
		{"segment too large", "limits", Note, "SEGMENT_SIZE is", func(t *testing.T, e *env) { e.space = e.withShared(1<<30, 1<<30) }},
		{"not tmpfs", "limits", Warning, "written to a disk", func(t *testing.T, e *env) {
			e.space = func(string) (space, error) { return space{"ext4", 1 << 40, 1 << 39, 0, 0}, nil }
		}},
		{"memory", "limits", Warning, "of memory left", func(t *testing.T, e *env) {
			write(t, filepath.Join(e.proc, "meminfo"), "MemAvailable: 1000 kB\n")
		}},
		{"few files", "limits", Warning, "may have 512 files open", func(t *testing.T, e *env) {
			running(t, e)
			write(t, filepath.Join(e.proc, fmt.Sprint(os.Getpid()), "limits"), "Max open files            512  4096  files\n")
		}},
		{"storage gone", "storage", Problem, "does not exist", func(t *testing.T, e *env) {
			running(t, e)
			e.cfg.Role("blockerb").ArchipDir = "/nowhere"
		}},
		{"storage full", "storage", Problem, "0.5 % of its space", func(t *testing.T, e *env) { e.onStorage(space{"ext4", 1000, 5, 0, 0}) }},
		{"storage nearly full", "storage", Warning, "5.0 % of its space", func(t *testing.T, e *env) { e.onStorage(space{"ext4", 1000, 50, 0, 0}) }},
		{"no inodes", "storage", Problem, "0.1 % of its inodes", func(t *testing.T, e *env) { e.onStorage(space{"ext4", 1000, 500, 1000, 1}) }},
		{"tmpfs", "storage", Warning, "switched off", func(t *testing.T, e *env) { e.onStorage(space{"tmpfs", 1000, 500, 0, 0}) }},
		{"fat", "storage", Problem, "no links", func(t *testing.T, e *env) { e.onStorage(space{"fat", 1000, 500, 0, 0}) }},
		{"direct on NFS", "storage", Problem, "direct = True", func(t *testing.T, e *env) {
			e.onStorage(space{"nfs", 1000, 500, 0, 0})
			e.cfg.Role("blockerb").Direct = true
		}},
		{"local and shared", "storage", Note, "one machine alone", func(t *testing.T, e *env) { e.cfg.Nodes = "shared" }},
		{"can't be asked", "storage", Problem, "stale", func(t *testing.T, e *env) {
			e.space = func(string) (space, error) { return space{}, errors.New("stale file handle") }
		}},
		{"not a directory", "storage", Problem, "not a directory", func(t *testing.T, e *env) {
			path := filepath.Join(t.TempDir(), "f")
			write(t, path, "")
			e.cfg.Role("blockerb").ArchipDir = path
		}},
		{"no Ceph", "storage", Problem, "CEPH_CONF_FILE", func(t *testing.T, e *env) {
			e.cfg.Role("blockerb").Type, e.cfg.CephConf = config.TypeRados, "/nowhere/ceph.conf"
		}},
		{"hangs", "storage", Problem, "no answer within", func(t *testing.T, e *env) {
			over := make(chan struct{})
			t.Cleanup(func() { close(over) })
			e.space = func(string) (space, error) { <-over; return space{}, nil }
		}},
		{"lock of another node", "locks", Warning, `node "other" holds the locks of 1 volumes`, func(t *testing.T, e *env) {
			lock(t, e, uuidA, 1, e.cfg.NodeName, mapfmt.LockImplicit)
			lock(t, e, uuidA, 12, "other", mapfmt.LockExclusive)
			lock(t, e, uuidB, 3, "gone", mapfmt.LockReleased)
		}},
		{"lock of another node, shared storage", "locks", Note, "If that node is dead", func(t *testing.T, e *env) {
			e.cfg.Nodes = "shared"
			lock(t, e, uuidA, 1, "other", mapfmt.LockExclusive)
		}},
		{"broken lock", "locks", Warning, "can't be read", func(t *testing.T, e *env) {
			write(t, filepath.Join(e.cfg.Role("blockerm").LockDir, "l/=01", uuidA, "1"), "garbage")
		}},
		{"half-made volume", "half-done work", Note, "half is being made", func(t *testing.T, e *env) {
			record(t, e, "half", mapfmt.FlagPending)
		}},
		{"half-cut volume", "half-done work", Note, "under way just now", func(t *testing.T, e *env) {
			running(t, e)
			record(t, e, "half", mapfmt.FlagTrim)
		}},
		{"broken record", "half-done work", Problem, "record of v", func(t *testing.T, e *env) {
			write(t, filepath.Join(e.cfg.Role("blockerm").ArchipDir, "v/=01/v"), "garbage")
		}},
		{"replaced program", "versions", Warning, "was replaced", func(t *testing.T, e *env) {
			running(t, e)
			link(t, "/usr/bin/archip-filed (deleted)", filepath.Join(e.proc, fmt.Sprint(os.Getpid()), "exe"))
		}},
		{"other program", "versions", Warning, "of version", otherProgram},
		{"no modules", "kernel modules", Note, "no way to make a device", func(t *testing.T, e *env) { e.sys = "/nowhere" }},
		{"dead segment", "leftovers", Note, "(xseg destroy): archip-test-left", deadSegment},
		{"dead node's log", "leftovers", Note, "would lose writes that guests were told are done: archip-dead", func(t *testing.T, e *env) {
			write(t, filepath.Join(e.shm, "archip-dead.pending", "store."+uuidA), "x")
			write(t, filepath.Join(e.shm, "archip-dead.pending", "node.x"), "x")
			write(t, filepath.Join(e.shm, "archip-clean.pending", "node.x"), "x")
		}},
		{"long path", "sockets", Problem, "bytes; 107 are possible", func(t *testing.T, e *env) {
			e.cfg.RuntimeDir = "/" + strings.Repeat("d", 110)
		}},
		{"no NBD socket", "sockets", Problem, "clients can't connect", func(t *testing.T, e *env) {
			running(t, e)
			e.cfg.Role("nbdd").Socket = "/nowhere/nbd.sock"
		}},
		{"dead NBD socket", "sockets", Problem, "connection refused", deadSocket},
		{"old clock", "clock", Warning, "1970-01-01", func(t *testing.T, e *env) { e.now = func() time.Time { return time.Unix(100, 0) } }},
		{"clock not synced", "clock", Note, "chrony", func(t *testing.T, e *env) { e.synced = func() (bool, error) { return false, nil } }},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := healthy(t)
			c.spoil(t, e)
			patience := 10 * time.Second
			if c.name == "hangs" {
				patience = 20 * time.Millisecond
			}
			var r Result
			for _, x := range checks {
				if x.name == c.check {
					r = e.one(context.Background(), x, patience)
				}
			}
			text := strings.Join(strings.Fields(strings.Join(r.lines(200, plain), " ")), " ")
			if r.Level != c.level || !strings.Contains(text, c.text) {
				t.Errorf("%v, want %v with %q:\n%s", r.Level, c.level, c.text, text)
			}
		})
	}
}
