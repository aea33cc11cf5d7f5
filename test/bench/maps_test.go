package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMaps runs everything for as short a time as it can, and looks at what is written. It judges
// no number.
func TestMaps(t *testing.T) {
	doc := filepath.Join(t.TempDir(), "doc.md")
	if err := os.WriteFile(doc, []byte("<!-- maps:begin -->\nold\n<!-- maps:end -->\nrest\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	o, err := parseMaps([]string{"-rounds", "2", "-whole", "1", "-clones", "20", "-names", "2500", "-time", "1ms",
		"-dir", dir, "-o", doc})
	if err != nil {
		t.Fatal(err)
	}
	o.size, o.idle = 8<<30, time.Millisecond
	if err := measureMaps(ctx, o); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	for _, want := range []string{
		"<!-- maps:begin -->\n`go run ", "The stores lie on ", "### Operations", "| remove the volume |", "### Clones",
		"### Memory of a map", "### Encode and decode", "### Lists", "next page", "<!-- maps:end -->\nrest\n",
	} {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "old\n") {
		t.Error("what was there before is still there")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%d directories are left: %v", len(left), err)
	}
}

// TestMapsArguments: wrong ones are refused before anything is measured.
func TestMapsArguments(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-names", "-1"}, {"-time", "0s"}, {"more"}, {"-frob"}} {
		if _, err := parseMaps(args); err == nil {
			t.Errorf("%v are taken", args)
		}
	}
	if o, err := parseMaps([]string{"-only", "codec"}); err != nil || o.out != "" {
		t.Errorf("a part alone would be written: %v", err)
	}
}

// TestHalfAList: a list that isn't whole is no result.
func TestHalfAList(t *testing.T) {
	s, err := newMapStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := putNames(t.Context(), filepath.Join(s.dir, "maps"), 5); err != nil {
		t.Fatal(err)
	}
	var first, next, all durations
	if err := listOnce(s, 5, &first, &next, &all); err != nil || len(first) != 1 || len(next) != 0 {
		t.Errorf("%v, %d first pages, %d next ones", err, len(first), len(next))
	}
	if listOnce(s, 6, &first, &next, &all) == nil {
		t.Error("a missing name isn't noticed")
	}
}
