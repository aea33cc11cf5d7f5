package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
