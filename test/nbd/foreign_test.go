package nbd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"archipelago/test/testnode"
)

const (
	size     = 64 << 20
	sizeText = "64M"
)

// need skips the test if a foreign client isn't installed.
func need(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
}

// run runs a foreign client and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testnode.Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// socket is the path of the node's NBD socket.
func socket(t *testing.T, n *testnode.Node) string {
	t.Helper()
	u, err := url.Parse(n.URI)
	if err != nil || u.Query().Get("socket") == "" {
		t.Fatalf("the ready line has %q: %v", n.URI, err)
	}
	return u.Query().Get("socket")
}

func uri(t *testing.T, n *testnode.Node, export string) string {
	return fmt.Sprintf("nbd+unix:///%s?socket=%s", export, socket(t, n))
}

// seeded returns a random source whose seed is printed, and can be set by ARCHIPELAGO_SEED.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("ARCHIPELAGO_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("ARCHIPELAGO_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// image makes a file with runs of data and of zeros.
func image(t *testing.T, rng *rand.Rand) string {
	t.Helper()
	data := make([]byte, size)
	for range 60 {
		n := rng.IntN(400 << 10)
		part := data[rng.IntN(size-n):][:n]
		for i := range part {
			part[i] = byte(rng.Uint32())
		}
	}
	path := filepath.Join(testnode.TempDir(t), "image")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func identical(t *testing.T, a, b string) {
	t.Helper()
	if out := run(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", a, b); !strings.Contains(out, "identical") {
		t.Errorf("%s and %s: %s", a, b, out)
	}
}

// TestForeignClients works on a volume and on a clone of its snapshot; the snapshot stays as it is.
func TestForeignClients(t *testing.T) {
	need(t, "nbdinfo", "nbdcopy", "qemu-img", "qemu-io", "fio")
	n := testnode.Start(t)
	rng := seeded(t)
	src := image(t, rng)
	n.Vlmc("create", "vol", "--size", sizeText)
	if out := run(t, "nbdinfo", "--size", uri(t, n, "vol")); strings.TrimSpace(out) != strconv.Itoa(size) {
		t.Errorf("nbdinfo --size says %s", out)
	}
	run(t, "nbdcopy", "--flush", src, uri(t, n, "vol"))
	identical(t, src, uri(t, n, "vol"))
	n.Vlmc("snapshot", "vol", "snap")
	n.Vlmc("clone", "snap", "clone")

	for _, name := range []string{"vol", "clone"} {
		t.Run(name, func(t *testing.T) { exercise(t, uri(t, n, name), rng.Uint64()) })
	}
	identical(t, src, uri(t, n, "snap"))
	if out := run(t, "nbdinfo", uri(t, n, "snap")); !strings.Contains(out, "is_read_only: true") {
		t.Errorf("nbdinfo of a snapshot says %s", out)
	}
	list := run(t, "nbdinfo", "--list", uri(t, n, ""))
	for _, name := range []string{"vol", "snap", "clone"} {
		if !strings.Contains(list, `export="`+name+`"`) {
			t.Errorf("nbdinfo --list doesn't show %s", name)
		}
	}
}

// exercise writes, checks and overwrites an export with each client.
func exercise(t *testing.T, uri string, seed uint64) {
	src, back := image(t, rand.New(rand.NewPCG(seed, 1))), filepath.Join(testnode.TempDir(t), "back")
	run(t, "fio", "--name=verify", "--ioengine=nbd", "--uri="+uri, "--rw=randwrite", "--bsrange=512-300k",
		"--blockalign=512", "--iodepth=32", "--size="+sizeText, "--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0",
		"--fsync=100", "--randseed="+strconv.FormatUint(seed>>1, 10))
	out := run(t, "qemu-io", "-f", "raw", "-c", "write -P 7 1000 70000", "-c", "read -P 7 1000 70000",
		"-c", "write -z -u 8k 8k", "-c", "read -P 0 8k 8k", "-c", "write -z 16k 4k", "-c", "read -P 0 16k 4k",
		"-c", "write -f -P 9 1M 20M", "-c", "read -P 9 1M 20M", "-c", "discard 2M 4M", "-c", "flush", uri)
	if strings.Contains(out, "failed") || strings.Contains(out, "error") {
		t.Errorf("qemu-io says %s", out)
	}
	run(t, "qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", src, uri)
	identical(t, src, uri)
	run(t, "nbdcopy", uri, back)
	identical(t, src, back)
}
