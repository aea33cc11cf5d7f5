package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// base is a small valid configuration; the tests break it.
const base = `SEGMENT_PORTS = 2048
XSEGBD_START = 0
XSEGBD_END = 9
roles = [('blockerb', 'file_blocker'), ('blockerm', 'file_blocker'),
         ('mapperd', 'mapperd'), ('vlmcd', 'vlmcd'), ('nbdd', 'nbdd')]
blockerb = {'portno': 1000, 'archip_dir': '/srv/b'}
blockerm = {'portno': 1002, 'archip_dir': '/srv/m', 'log_level': 3, 'nr_ops': 64, 'direct': True}
mapperd = {'portno': 1001, 'blockerb_port': 1000, 'blockerm_port': 1002}
vlmcd = {'portno_start': 500, 'portno_end': 999, 'blocker_port': 1000, 'mapper_port': 1001}
nbdd = {'portno': 1030, 'vlmcd_port': 500, 'mapper_port': 1001}
`

func TestParse(t *testing.T) {
	cfg, err := Parse("a.conf", []byte(base))
	if err != nil {
		t.Fatal(err)
	}
	want := Role{
		Name: "blockerm", Type: TypeFile, PortStart: 1002, PortEnd: 1002, LogLevel: 3, NrOps: 64,
		NrThreads: 64, ArchipDir: "/srv/m", FDCache: 8192, Direct: true, Cache: "writeback",
	}
	if diff := cmp.Diff(want, *cfg.Role("blockerm")); diff != "" {
		t.Error(diff)
	}
	if v := cfg.ByType(TypeVlmcd); v.PortStart != 500 || v.PortEnd != 999 || v.BlockerbPort != 1000 {
		t.Errorf("vlmcd: %+v", v)
	}
	if n := cfg.ByType(TypeNBD); n.Socket != "/run/archipelago/nbd.sock" {
		t.Errorf("socket %q", n.Socket)
	}
	if cfg.NodeName == "" || cfg.PendingDir != "/dev/shm/archipelago.pending" || cfg.Nodes != "shared" {
		t.Errorf("%+v", cfg)
	}
	if o := cfg.Origin("blockerm", "nr_ops"); o.Line != 7 {
		t.Errorf("origin of blockerm.nr_ops: %v", o)
	}
	if cfg.Role("nobody") != nil || cfg.ByType(TypeRados) != nil {
		t.Error("found a role that isn't there")
	}
}

// TestErrors: every kind of mistake is reported, all at once, with its place and what is allowed.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, new string // applied to base; old "" = new is the whole file
		want     []string
	}{
		{"syntax", "XSEGBD_START = 0", "XSEGBD_START = = 0", []string{"2:16: got '='"}},
		{"empty file", "", "\n", []string{"roles is missing: it must be a list of pairs"}},
		{"not an assignment", "XSEGBD_START = 0", "print('x')", []string{"2:1: only assignments"}},
		{"augmented", "XSEGBD_START = 0", "XSEGBD_START += 0", []string{"2:1: only assignments"}},
		{"two names", "XSEGBD_START = 0", "a, b = 1, 2", []string{"2:1: only a single name"}},
		{"expression", "XSEGBD_START = 0", "XSEGBD_START = 1 + 1", []string{"2:16: not a literal"}},
		{"call", "XSEGBD_START = 0", "XSEGBD_START = len('')", []string{"2:16: not a literal"}},
		{"name", "XSEGBD_START = 0", "XSEGBD_START = SEGMENT_PORTS", []string{"2:16: not a literal"}},
		{"float", "XSEGBD_START = 0", "XSEGBD_START = 1.5", []string{"2:16: 1.5: only strings and whole numbers"}},
		{"bytes", "XSEGBD_START = 0", "XSEGBD_START = b'1'", []string{"only strings"}},
		{"big number", "XSEGBD_START = 0", "XSEGBD_START = 99999999999999999999", []string{"2:16: 99999999999999999999: only"}},
		{"large number", "XSEGBD_START = 0", "XSEGBD_START = 4294967296", []string{"must be a number from 0 to 65535"}},
		{"negative", "XSEGBD_START = 0", "XSEGBD_START = -1", []string{"2:16: XSEGBD_START is -1, but must be a number from 0 to 65535"}},
		{"sign of a string", "XSEGBD_START = 0", "XSEGBD_START = -'1'", []string{"2:16: not a literal: a sign"}},
		{"wrong type", "SEGMENT_PORTS = 2048", "SEGMENT_PORTS = '2048'", []string{"1:17: SEGMENT_PORTS must be a number from 16 to 65536, not a string"}},
		{"wrong type of a role's key", "'direct': True", "'direct': 1", []string{"7:93: blockerm: direct must be True or False, not a number"}},
		{"unknown key", "XSEGBD_START = 0", "SEGMENT_PROTS = 1", []string{"2:1: unknown key SEGMENT_PROTS; the keys are SEGMENT_TYPE, "}},
		{"unknown key of a role", "'log_level'", "'loglevel'", []string{"7:53: blockerm: unknown key 'loglevel'; a file_blocker has portno, "}},
		{"key of another type of role", "'log_level': 3", "'blocker_port': 3", []string{"blockerm: unknown key 'blocker_port'"}},
		{"duplicate key", "XSEGBD_END = 9", "XSEGBD_START = 9", []string{"3:1: XSEGBD_START is given twice, first in line 2"}},
		{"duplicate key of a role", "'nr_ops': 64", "'portno': 1002", []string{"portno is given twice, first in line 7"}},
		{"duplicate dictionary", "nbdd = {", "vlmcd = {", []string{"10:1: vlmcd is given twice", "5:55: role nbdd has no settings"}},
		{"number as key", "'nr_ops': 64", "7: 64", []string{"a key of a dictionary is a string, not a number"}},
		{"nr_ops", "'nr_ops': 64", "'nr_ops': 48", []string{"nr_ops is 48, but must be a power of two from 1 to 1024"}},
		{"nr_ops too large", "'nr_ops': 64", "'nr_ops': 2048", []string{"power of two from 1 to 1024"}},
		{"log_level", "'log_level': 3", "'log_level': 4", []string{"log_level is 4, but must be a number from 0 to 3"}},
		{"relative path", "'/srv/b'", "'srv/b'", []string{"archip_dir is 'srv/b', but must be an absolute path"}},
		{"cache", "'log_level': 3", "'cache': 'none'", []string{"must be 'writeback' or 'writethrough'"}},
		{"alignment", "XSEGBD_START = 0", "SEGMENT_ALIGNMENT = 13", []string{"must be 12"}},
		{"segment type", "XSEGBD_START = 0", "SEGMENT_TYPE = 'segdev'", []string{"SEGMENT_TYPE is 'segdev', but must be 'posix'"}},
		{"runtime dir", "XSEGBD_START = 0", "RUNTIME_DIR = '/" + strings.Repeat("x", 79) + "'", []string{"must be an absolute path of at most 79 bytes"}},
		{"socket", "'vlmcd_port': 500", "'vlmcd_port': 500, 'socket': '/" + strings.Repeat("x", 107) + "'", []string{"at most 107 bytes"}},
		{"no port", "'portno': 1002, ", "", []string{"7:1: blockerm: portno is missing"}},
		{"two forms of ports", "'portno': 1002", "'portno': 1002, 'portno_end': 1003", []string{"has both portno and portno_start or portno_end"}},
		{"half a range", "'portno_end': 999, ", "", []string{"vlmcd needs both portno_start and portno_end"}},
		{"backward range", "'portno_end': 999", "'portno_end': 400", []string{"portno_start is 500, but must be at most portno_end, which is 400"}},
		{"backward tools", "XSEGBD_START = 0", "VTOOL_START = 1023", []string{"VTOOL: VTOOL_START is 1023, but must be at most VTOOL_END, which is 1022"}},
		{"several ports of a mapper", "'portno': 1001", "'portno_start': 1001, 'portno_end': 1001 + 0", []string{"not a literal"}},
		{"two ports of a blocker", "'portno': 1000", "'portno_start': 1040, 'portno_end': 1041", []string{"a file_blocker has one port, not 2", "blockerb_port is 1000, but no role", "blocker_port is 1000, but no role"}},
		{"outside the segment", "SEGMENT_PORTS = 2048", "SEGMENT_PORTS = 1030", []string{"nbdd: port 1030 lies outside the segment, whose last is 1029 (SEGMENT_PORTS = 1030)"}},
		{"overlap of roles", "'portno': 1030", "'portno': 998", []string{"10:9: ports 998-998 of nbdd overlap ports 500-999 of vlmcd"}},
		{"overlap with tools", "'portno': 1030", "'portno': 1022", []string{"ports 1022-1022 of nbdd overlap ports 1003-1022 of VTOOL"}},
		{"overlap with devices", "XSEGBD_END = 9", "XSEGBD_END = 500", []string{"ports 500-999 of vlmcd overlap ports 0-500 of XSEGBD", "XSEGBD has 501 ports"}},
		{"more devices than composer ports", "'portno_end': 999", "'portno_end': 505", []string{"XSEGBD has 10 ports, but must not have more than vlmcd, which has 6"}},
		{"two composers overlap", "('nbdd', 'nbdd')]", "('nbdd', 'nbdd'), ('v2', 'vlmcd')]\nv2 = {'portno_start': 900, 'portno_end': 1000, 'blocker_port': 1000, 'mapper_port': 1001}", []string{"a volume would be served by two composers at once", "ports 1000-1000 of blockerb overlap ports 900-1000 of v2"}},
		{"roles missing", "roles = ", "rolls = ", []string{"roles is missing", "unknown key rolls"}},
		{"roles of another form", "('vlmcd', 'vlmcd')", "'vlmcd'", []string{"an entry of roles must be a pair", "9:1: vlmcd has settings, but isn't one of roles", "no role of type vlmcd", "vlmcd_port is 500, but no role"}},
		{"empty roles", "", "roles = []", []string{"1:9: roles must be a list of pairs"}},
		{"role twice", "('nbdd', 'nbdd')", "('nbdd', 'nbdd'), ('nbdd', 'nbdd')", []string{"role nbdd is listed twice"}},
		{"unknown type", "'nbdd')]", "'nbd')]", []string{"5:63: 'nbd' is not a type of role; the types are file_blocker, rados_blocker, mapperd, vlmcd, nbdd", "nbdd has settings, but isn't"}},
		{"name of a role", "('nbdd', 'nbdd')", "('NBD', 'nbdd')", []string{"'NBD' can't be the name of a role", "nbdd has settings"}},
		{"no dictionary", "nbdd = {'portno': 1030, 'vlmcd_port': 500, 'mapper_port': 1001}", "", []string{"5:55: role nbdd has no settings: nbdd = {...} is missing"}},
		{"not a dictionary", "nbdd = {'portno': 1030, 'vlmcd_port': 500, 'mapper_port': 1001}", "nbdd = 1", []string{"nbdd must be a dictionary"}},
		{"required key", ", 'archip_dir': '/srv/b'", "", []string{"6:1: blockerb: archip_dir is missing: it must be an absolute path"}},
		{"wrong target", "'mapper_port': 1001}\nnbdd", "'mapper_port': 1002}\nnbdd", []string{"9:72: vlmcd: mapper_port is 1002, but no role of type mapperd has that port"}},
		{"same blocker twice", "'blockerm_port': 1002", "'blockerm_port': 1000", []string{"must be two blockers"}},
		{"same directory", "'/srv/m'", "'/srv/b'", []string{"archip_dir '/srv/b' is that of blockerb too"}},
		{"order", "('mapperd', 'mapperd'), ('vlmcd', 'vlmcd')", "('vlmcd', 'vlmcd'), ('mapperd', 'mapperd')", []string{"vlmcd: mapper_port names mapperd, which must stand before vlmcd in roles"}},
		{"fdcache", "'nr_ops': 64", "'fdcache': 127", []string{"fdcache is 127, but must be at least twice nr_threads, which is 64"}},
		{"threads of the composer", "'portno_end': 999", "'portno_end': 509, 'nr_threads': 11", []string{"nr_threads is 11, but must be at most the number of its ports, 10"}},
		{"pool", "('blockerb', 'file_blocker')", "('blockerb', 'rados_blocker')", []string{"unknown key 'archip_dir'; a rados_blocker has", "pool is missing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := c.new
			if c.old != "" {
				if !strings.Contains(base, c.old) {
					t.Fatalf("%q isn't in the base configuration", c.old)
				}
				src = strings.Replace(base, c.old, c.new, 1)
			}
			_, err := Parse("a.conf", []byte(src))
			checkErrors(t, err, c.want)
		})
	}
}

func checkErrors(t *testing.T, err error, want []string) {
	t.Helper()
	if !errors.Is(err, ErrInvalid) {
		t.Fatalf("error %v isn't ErrInvalid", err)
	}
	errs, ok := errors.AsType[Errors](err)
	if !ok || len(errs) != len(want) {
		t.Fatalf("%d errors wanted:\n%s\ngot:\n%v", len(want), strings.Join(want, "\n"), err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("no error %q in:\n%v", w, err)
		}
	}
}

// TestAllErrorsAtOnce: mistakes far apart come out together, in the order of the file.
func TestAllErrorsAtOnce(t *testing.T) {
	src := strings.NewReplacer("2048", "1", "'nr_ops': 64", "'nr_ops': 65", "'portno': 1030", "'portno': 1002").Replace(base)
	_, err := Parse("a.conf", []byte(src))
	errs, _ := errors.AsType[Errors](err)
	var lines []int
	for _, e := range errs {
		lines = append(lines, e.Line)
	}
	if diff := cmp.Diff([]int{1, 7, 10}, lines); diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestReadFails(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(filepath.Join(dir, "none")); !errors.Is(err, ErrInvalid) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Read(dir); !errors.Is(err, ErrInvalid) {
		t.Errorf("directory: %v", err)
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, []byte(strings.Repeat("#", maxFileBytes+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(big); err == nil || !strings.Contains(err.Error(), "larger than 64 KiB") {
		t.Errorf("big file: %v", err)
	}
}

// TestDeepNesting: the deepest nesting that fits in a file must not exhaust the stack.
func TestDeepNesting(t *testing.T) {
	for _, open := range []string{"[", "(", "{1:", "-"} {
		src := "a = " + strings.Repeat(open, (maxFileBytes-4)/len(open))
		if _, err := Parse("deep", []byte(src)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", open, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(base))
	if src, err := os.ReadFile(shipped); err == nil {
		f.Add(src)
	}
	f.Add([]byte("a = {'x': [(1, -2), True]}\nroles = [('a', 'nbdd')]\na = b''"))
	f.Fuzz(func(t *testing.T, src []byte) {
		cfg, err := Parse("fuzz.conf", src)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || err.Error() == "" {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		again, err := Parse("again.conf", []byte(cfg.Format()))
		if err != nil {
			t.Fatalf("the shown form doesn't read back: %v\n%s", err, cfg.Format())
		}
		if diff := cmp.Diff(cfg.Roles, again.Roles); diff != "" {
			t.Fatal(diff)
		}
	})
}
