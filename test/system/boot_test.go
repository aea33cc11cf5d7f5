package system

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/config"
	"archipelago/test/testnode"
)

// prepare runs a script that prints a path; it skips the test where the script says so.
func prepare(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.Command("bash", script)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 77 {
		t.Skip(strings.TrimSpace(string(out)))
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// node starts a node with the image imported, a snapshot of it and a clone.
func node(t *testing.T, image string) *testnode.Node {
	t.Helper()
	n := testnode.StartWith(t, testnode.Options{Args: []string{"--fuse"}})
	n.Vlmc("import", image, "debian")
	n.Vlmc("snapshot", "debian", "origin")
	n.Vlmc("clone", "origin", "machine") // never written to
	return n
}

func sumOf(t *testing.T, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func fileSum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return sumOf(t, f)
}

// volumeSum is that of `vlmc export`.
func volumeSum(t *testing.T, n *testnode.Node, name string) string {
	t.Helper()
	cmd := exec.Command(testnode.Binary(t, "vlmc"), "-d", n.Dir, "export", name, "-")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sum := sumOf(t, out)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return sum
}

// kill kills the process of a role, and waits until another one has its place.
func kill(t *testing.T, n *testnode.Node, role string) {
	t.Helper()
	process := func() int {
		for _, p := range n.Peers() {
			if p.Role == role {
				return p.PID
			}
		}
		return 0
	}
	old := process()
	if old == 0 {
		t.Fatalf("role %s doesn't run", role)
	}
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// Nothing tells a client that a peer has been started again.
	for end := time.Now().Add(testnode.Patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if pid := process(); pid != 0 && pid != old {
			return
		}
	}
	t.Fatalf("role %s is not started again", role)
}

// runs are the two ways to a volume, and the peers that may be killed under each: a file of fused
// doesn't outlive it.
var runs = []struct {
	name  string
	disk  func(n *testnode.Node, volume string) string // for QEMU's -blockdev
	peers []string
}{
	{
		name: "NBD",
		disk: func(n *testnode.Node, volume string) string {
			socket := n.Config().ByType(config.TypeNBD).Socket
			return "driver=nbd,node-name=disk,server.type=unix,server.path=" + socket + ",export=" + volume + ",reconnect-delay=600"
		},
		peers: []string{"nbdd", "vlmcd", "blockerb", "mapperd"},
	}, {
		name: "file",
		disk: func(n *testnode.Node, volume string) string {
			path := filepath.Join(n.Config().ByType(config.TypeFuse).Mountpoint, volume)
			return "driver=file,node-name=disk,cache.direct=on,aio=threads,filename=" + path
		},
		peers: []string{"vlmcd", "blockerb", "mapperd", "blockerm"},
	},
}

// TestBootDebian is what the package comment says.
func TestBootDebian(t *testing.T) {
	if os.Getenv("ARCHIPELAGO_VM") == "" {
		t.Skip("takes minutes: set ARCHIPELAGO_VM=1, as make test-system does")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("qemu-system-x86_64 is not installed")
	}
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("FUSE can't be used: %v", err)
	} else {
		f.Close()
	}
	kernel := prepare(t, "../vm/kernel.sh")
	image := prepare(t, "image.sh")
	n := node(t, image)
	want := fileSum(t, image)
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			began := time.Now()
			volume := "machine-" + r.name
			n.Vlmc("clone", "origin", volume)
			write(t, n, start(t, kernel, r.disk(n, volume)), r.peers)
			t.Logf("written after %v, with %d peers killed", time.Since(began).Round(time.Second), len(r.peers))
			g := start(t, kernel, r.disk(n, volume))
			if !g.await("LOAD: verified") {
				g.fail("what it had written isn't there")
			}
			g.end()
			t.Logf("verified after %v", time.Since(began).Round(time.Second))
		})
	}
	for _, name := range []string{"origin", "debian", "machine"} {
		if got := volumeSum(t, n, name); got != want {
			t.Errorf("%s is not what was imported", name)
		}
	}
	n.Vlmc("check") // fails if anything is lost or corrupt
}

// write kills a peer after every few files that the guest writes, and waits until it restarts.
func write(t *testing.T, n *testnode.Node, g *guest, peers []string) {
	t.Helper()
	for i, role := range peers {
		if !g.await(fmt.Sprintf("LOAD: %d written", 3+5*i)) {
			g.fail("it stopped writing")
		}
		kill(t, n, role)
	}
	if !g.await("LOAD: complete") {
		g.fail("it didn't write everything")
	}
	g.end()
}
