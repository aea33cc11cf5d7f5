package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"archipelago/internal/config"
)

// TestTotalTime: the time of a process is there, with that of threads that have ended.
func TestTotalTime(t *testing.T) {
	before, err := totalTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for own, _ := processorTime(); ; {
		now, err := processorTime()
		if err != nil {
			t.Fatal(err)
		}
		if now-own > 50*time.Millisecond {
			break
		}
	}
	after, err := totalTime(os.Getpid())
	if err != nil || after-before < 20*time.Millisecond {
		t.Errorf("50 ms of work count as %v: %v", after-before, err)
	}
}

// TestWarm reads everything, and isn't disturbed by files that go.
func TestWarm(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/one", "two"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, 3<<20), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := warm([]string{dir, filepath.Join(dir, "two"), filepath.Join(dir, "gone")}); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(filepath.Join(dir, "two"), 0); err != nil {
		t.Fatal(err)
	}
	if err := warm([]string{dir}); err == nil && os.Geteuid() != 0 {
		t.Error("a file that can't be read counts as warm")
	}
}

func TestRowsTable(t *testing.T) {
	list := []measured{{row: &volumeRowList[0], results: map[string][]result{
		"archipelago":    {{iops: 2000, cpu: 5 * time.Microsecond, fio: 7 * time.Microsecond}, {iops: 3000, fio: 7 * time.Microsecond}, {iops: 4000}},
		"qemu-nbd qcow2": {{iops: 1000}, {iops: 1000}, {iops: 4000}},
	}}}
	text := rowsTable(&volumesOptions{rounds: 3, time: time.Second, size: mib}, list)
	for _, want := range []string{"3.0 k", "1.0 k", "2.00", "7.0", "–"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	path := filepath.Join(t.TempDir(), "plot.svg")
	if err := drawVolumes(path, list); err != nil {
		t.Fatal(err)
	}
	picture, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(picture), ">2.00<") || strings.Contains(string(picture), "NaN") {
		t.Errorf("%v: %s", err, picture)
	}
}

// TestInformationTables: each node has its columns, with medians; what wasn't measured is a dash.
func TestInformationTables(t *testing.T) {
	list := []informed{{
		load: load{rw: "randread", depth: 1}, raw: []float64{9000, 11000, 10000},
		one: map[string][]result{
			"a process per role": {{iops: 4000, cpu: 30 * time.Microsecond, p99: 80 * time.Microsecond}},
			"one process": {{iops: 1, cpu: 1}, {iops: 5000, cpu: 20 * time.Microsecond, p99: 70 * time.Microsecond},
				{iops: 9000, cpu: time.Second, p99: time.Second}},
		},
		four: map[string][]float64{"one process": {7000}},
	}}
	text := informationTables(&volumesOptions{rounds: 3, time: time.Second}, list)
	var rows []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "|") {
			rows = append(rows, strings.Join(strings.Fields(strings.ReplaceAll(line, "|", " | ")), " "))
		}
	}
	for i, want := range map[int]string{
		0: "| load | raw file | a process per role | one process | direct I/O | four: a process per role | four: one process | four: direct I/O |",
		2: "| randread, depth 1 | 10.0 k | 4.0 k | 5.0 k | – | – | 7.0 k | – |",
		5: "| randread, depth 1 | 30.0 | 20.0 | – | 80 | 70 | – |",
	} {
		if len(rows) != 6 || rows[i] != want {
			t.Errorf("row %d isn't %q:\n%s", i, want, text)
		}
	}
}

// TestDirectNode: the node for direct I/O is that of a directory in all else.
func TestDirectNode(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir[:4]) // short enough for sockets; nothing is made there
	n, err := newNode(filepath.Join(dir, "direct"), variant{direct: true})
	if err != nil {
		t.Fatal(err)
	}
	usual, err := config.ForDir(filepath.Join(dir, "direct"))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range usual.Roles {
		r.Direct = r.Name == "blockerb"
		if diff := cmp.Diff(r, n.cfg.Roles[i]); diff != "" {
			t.Errorf("%s: %s", r.Name, diff)
		}
	}
	if n.cfg.SegmentSize != usual.SegmentSize || n.cfg.Nodes != usual.Nodes || n.source[0] != "-c" {
		t.Errorf("%+v by %v", n.cfg, n.source)
	}
}
