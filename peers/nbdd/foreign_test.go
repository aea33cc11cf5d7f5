package nbdd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// run runs a foreign client and returns what it printed; skips the test if it isn't installed.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	cmd := exec.CommandContext(testContext(t), name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (h *harness) uri(export string) string {
	return fmt.Sprintf("nbd+unix:///%s?socket=%s", export, h.path)
}

// foreign serves two exports through the backend's thread, as on a node.
func foreign(t *testing.T) (*harness, *memExport) {
	disk, snap := newExport("disk", 24<<20, 32), newExport("snap", 1<<20, 32)
	snap.info.ReadOnly = true
	h := start(t, Limits{}, newMemory(disk, snap))
	w := newWorker(h.srv.BatchEnd)
	disk.async.Store(w)
	t.Cleanup(func() { _ = h.stop(); w.stop() })
	return h, disk
}

// image makes a file with data, holes and zeros.
func image(t *testing.T, size int) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(*seed, 2))
	data := make([]byte, size)
	for range 40 {
		n := rng.IntN(300 << 10)
		off := rng.IntN(size - n)
		fill(rng, data[off:off+n])
	}
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNbdinfo(t *testing.T) {
	h, _ := foreign(t)
	out := run(t, "nbdinfo", "--json", h.uri("disk"))
	var info struct {
		Protocol   string
		Structured bool
		Exports    []struct {
			Name     string `json:"export-name"`
			Size     int64  `json:"export-size"`
			Contexts []string
			MinBlock int64 `json:"block_size_minimum"`
			MaxBlock int64 `json:"block_size_maximum"`
			Multi    bool  `json:"can_multi_conn"`
			FastZero bool  `json:"can_fast_zero"`
			DF       bool  `json:"can_df"`
			ReadOnly bool  `json:"is_read_only"`
		}
	}
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	e := info.Exports[0]
	if info.Protocol != "newstyle-fixed" || !info.Structured || e.Size != 24<<20 || e.MinBlock != 1 ||
		e.MaxBlock != 32<<20 || !e.Multi || !e.FastZero || !e.DF || e.ReadOnly ||
		!slices.Equal(e.Contexts, []string{"base:allocation", "archipelago:depth"}) {
		t.Errorf("nbdinfo says %s", out)
	}
	if list := run(t, "nbdinfo", "--list", h.uri("")); !strings.Contains(list, `export="disk"`) || !strings.Contains(list, `export="snap"`) {
		t.Errorf("nbdinfo --list says %s", list)
	}
	if out := run(t, "nbdinfo", "--map", "--totals", h.uri("disk")); !strings.Contains(out, "100.0%   3 hole,zero") {
		t.Errorf("nbdinfo --map says %s", out)
	}
}

func TestNbdcopyThereAndBack(t *testing.T) {
	h, e := foreign(t)
	src := image(t, len(e.data))
	back := filepath.Join(t.TempDir(), "back")
	run(t, "nbdcopy", "--flush", src, h.uri("disk"))
	run(t, "nbdcopy", h.uri("disk"), back)
	sameFiles(t, src, back)
	if e.flushes.Load() == 0 {
		t.Error("nbdcopy --flush did not flush")
	}
}

func TestQemuImg(t *testing.T) {
	h, e := foreign(t)
	src := image(t, len(e.data))
	run(t, "qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", src, h.uri("disk"))
	if out := run(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", src, h.uri("disk")); !strings.Contains(out, "identical") {
		t.Errorf("qemu-img compare says %s", out)
	}
	back := filepath.Join(t.TempDir(), "back")
	run(t, "qemu-img", "convert", "-f", "raw", "-O", "raw", h.uri("disk"), back)
	sameFiles(t, src, back)
}

func TestQemuIO(t *testing.T) {
	h, e := foreign(t)
	out := run(t, "qemu-io", "-f", "raw", "-c", "write -P 7 1000 70000", "-c", "read -P 7 1000 70000",
		"-c", "write -z -u 8k 8k", "-c", "read -P 0 8k 8k", "-c", "write -z 16k 4k", "-c", "read -P 0 16k 4k",
		"-c", "write -f -P 9 1M 18M", "-c", "read -P 9 1M 18M", "-c", "discard 2M 4M", "-c", "flush", h.uri("disk"))
	if strings.Contains(out, "failed") || strings.Contains(out, "error") {
		t.Errorf("qemu-io says %s", out)
	}
	if e.fuas.Load() == 0 || e.flushes.Load() == 0 || e.zeroes.Load() == 0 || e.discards.Load() == 0 {
		t.Errorf("%d FUA, %d flushes, %d zeroings, %d discards", e.fuas.Load(), e.flushes.Load(), e.zeroes.Load(), e.discards.Load())
	}
}

func TestFioVerify(t *testing.T) {
	h, _ := foreign(t)
	run(t, "fio", "--name=verify", "--ioengine=nbd", "--uri="+h.uri("disk"), "--rw=randwrite", "--bsrange=512-300k",
		"--blockalign=512", "--iodepth=32", "--size=20m", "--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0", "--fsync=50",
		fmt.Sprintf("--randseed=%d", *seed))
}

func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Errorf("seed %d: %s and %s differ", *seed, a, b)
	}
}
