package doctor

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/xseg"
)

func mkdir(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	chmod(t, path, mode)
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// record writes the record of a volume that is in the middle of something.
func record(t *testing.T, e *env, name string, flag mapfmt.Flags) {
	t.Helper()
	r := &mapfmt.Record{UUID: mapfmt.UUID{1}, Size: 1 << 30, ObjectSize: mapfmt.DefaultObjectSize, Epoch: 1,
		Table: make([]mapfmt.Owner, mapfmt.TableLen(1<<30, mapfmt.DefaultObjectSize))}
	r.SetMark(mapfmt.Mark{Flag: flag})
	b, err := mapfmt.EncodeRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(e.cfg.Role("blockerm").ArchipDir, "v/=01", name), string(b))
}

// otherProgram makes the peers run another build than the one that is installed under their name.
func otherProgram(t *testing.T, e *env) {
	running(t, e)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link(t, self, filepath.Join(e.proc, fmt.Sprint(os.Getpid()), "exe"))
	e.bin = t.TempDir()
	e.build = func(path string) string { return "1.0 of " + filepath.Base(filepath.Dir(path)) }
}

// TestSharedProcess: where all roles share a process it is looked at once, and has to have room for
// the files of all.
func TestSharedProcess(t *testing.T) {
	e := healthy(t)
	otherProgram(t, e)
	e.shared = true
	limit := e.filesBeside(&e.cfg.Roles[0]) - 1
	write(t, filepath.Join(e.proc, fmt.Sprint(os.Getpid()), "limits"), fmt.Sprintf("Max open files %d %d files\n", limit, limit))
	for check, want := range map[string]string{"versions": "run it again", "limits": "Raise LimitNOFILE"} {
		r := result(t, e, check)
		if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Do, want) {
			t.Errorf("%s: %+v", check, r.Findings)
		}
	}
}

// deadSegment makes a segment without anybody in it.
func deadSegment(t *testing.T, e *env) {
	name := fmt.Sprintf("archip-test-left%d", os.Getpid())
	spec := xseg.Spec{Name: name, Ports: 64, SizeMiB: 16, PageShift: 12}
	if err := xseg.Create(spec, xseg.CreateOptions{RuntimeDir: t.TempDir(), Group: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = xseg.Destroy(name, true) })
	write(t, filepath.Join(e.shm, name), "") // what the listing shows; the segment is joined by name
}

// deadSocket leaves a socket that nobody listens on.
func deadSocket(t *testing.T, e *env) {
	running(t, e)
	path := filepath.Join(e.cfg.RuntimeDir, "nbd.sock")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	e.cfg.Role("nbdd").Socket = path
}
