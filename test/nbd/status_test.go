package nbd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"archipelago/test/testnode"
)

// extent is one of `qemu-img map --output=json`.
type extent struct {
	Start, Length int64
	Data, Zero    bool
}

func mapOf(t *testing.T, uri string) (all []extent) {
	t.Helper()
	if err := json.Unmarshal([]byte(run(t, "qemu-img", "map", "--output=json", "-f", "raw", uri)), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestBlockStatus: what was never written, or was given back, is a hole; a clone shows what its
// snapshot has, and tells how deep it lies.
func TestBlockStatus(t *testing.T) {
	need(t, "qemu-img", "qemu-io", "nbdinfo")
	n := testnode.Start(t)
	const size = 1 << 40 // a long hole is one extent
	n.Vlmc("create", "vol", "--size", "1T")
	if got := mapOf(t, uri(t, n, "vol")); len(got) == 0 || got[0].Data || !got[0].Zero {
		t.Errorf("an empty volume: %v", got)
	}
	run(t, "qemu-io", "-f", "raw", "-c", "write 8M 4M", "-c", "write 512G 8M", "-c", "write 600G 4M", "-c", "discard 600G 4M", uri(t, n, "vol"))
	want := []extent{{0, 8 << 20, false, true}, {8 << 20, 4 << 20, true, false},
		{12 << 20, 512<<30 - 12<<20, false, true}, {512 << 30, 8 << 20, true, false},
		{512<<30 + 8<<20, size - 512<<30 - 8<<20, false, true}}
	same(t, want, mapOf(t, uri(t, n, "vol")))

	n.Vlmc("snapshot", "vol", "snap")
	n.Vlmc("clone", "snap", "clone")
	same(t, want, mapOf(t, uri(t, n, "snap")))
	run(t, "qemu-io", "-f", "raw", "-c", "write 8M 64k", "-c", "write 16M 64k", uri(t, n, "clone"))
	depth := run(t, "nbdinfo", "--map=archipelago:depth", uri(t, n, "clone"))
	var lines []string
	for line := range strings.Lines(depth) {
		lines = append(lines, strings.Join(strings.Fields(line)[:3], " "))
	}
	if got := strings.Join(lines[:4], ", "); got != "0 8388608 0, 8388608 65536 1, 8454144 4128768 2, 12582912 4194304 0" {
		t.Errorf("depth of the clone: %s", depth)
	}
}

func same(t *testing.T, want, got []extent) {
	t.Helper()
	// A client may cut extents into pieces.
	var joined []extent
	for _, x := range got {
		if n := len(joined); n > 0 && joined[n-1].Data == x.Data && joined[n-1].Zero == x.Zero {
			joined[n-1].Length += x.Length
			continue
		}
		joined = append(joined, x)
	}
	if fmt.Sprint(joined) != fmt.Sprint(want) {
		t.Errorf("extents %v, want %v", joined, want)
	}
}

// TestSparseCopies: holes stay holes on the way out and in.
func TestSparseCopies(t *testing.T) {
	need(t, "qemu-img", "nbdcopy")
	n := testnode.Start(t)
	src := image(t, seeded(t))
	for _, name := range []string{"a", "b"} {
		n.Vlmc("create", name, "--size", "10G")
	}
	if err := os.Truncate(src, 10<<30); err != nil {
		t.Fatal(err)
	}
	run(t, "nbdcopy", src, uri(t, n, "a"))
	run(t, "nbdcopy", uri(t, n, "a"), uri(t, n, "b")) // 10 GiB in no time: the holes aren't read
	identical(t, uri(t, n, "a"), uri(t, n, "b"))
	back := filepath.Join(testnode.TempDir(t), "back")
	run(t, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", uri(t, n, "b"), back)
	if fi, err := os.Stat(back); err != nil || fi.Size() > 2*size {
		t.Errorf("the image has %d bytes, %v", fi.Size(), err)
	}
}

// TestResizeIsSeen: a new connection has the new size; one from before goes on with its own.
func TestResizeIsSeen(t *testing.T) {
	need(t, "nbdinfo", "qemu-io")
	n := testnode.Start(t)
	n.Vlmc("create", "vol", "--size", sizeText)
	for _, want := range []int{size, 2 * size, size / 2} {
		n.Vlmc("resize", "vol", "--shrink", "--size", strconv.Itoa(want>>20))
		if got := strings.TrimSpace(run(t, "nbdinfo", "--size", uri(t, n, "vol"))); got != strconv.Itoa(want) {
			t.Errorf("nbdinfo --size says %s, want %d", got, want)
		}
		last := fmt.Sprintf("write -P 5 %d 4096", want-4096)
		if out := run(t, "qemu-io", "-f", "raw", "-c", last, uri(t, n, "vol")); strings.Contains(out, "failed") {
			t.Errorf("write at the new end: %s", out)
		}
	}
}
