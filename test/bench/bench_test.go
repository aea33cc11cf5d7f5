package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets the test's own program be the children of a benchmark.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		exit(childMain(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// TestTransport runs everything for as short a time as it can, and looks at what is written. It
// judges no number.
func TestTransport(t *testing.T) {
	doc := filepath.Join(t.TempDir(), "doc.md")
	if err := os.WriteFile(doc, []byte("# Title\n<!-- transport:begin -->\nold\n<!-- transport:end -->\nrest\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	o, err := parse([]string{"-rounds", "1", "-time", "20ms", "-kills", "1", "-bin", t.TempDir(), "-o", doc})
	if err != nil {
		t.Fatal(err)
	}
	o.hops, o.ports, o.channels = 1, 20, 10
	if err := measureAll(ctx, o); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	for _, want := range []string{
		"# Title\n<!-- transport:begin -->\n`go run ", "cores (", "### Round trips", "### Allocations", "### Memory",
		"### An idle node", "### Death of a server", "<!-- transport:end -->\nrest\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, " quiet | "); n != 2 {
		t.Errorf("%d rows of a quiet machine, want 2:\n%s", n, got)
	}
	if strings.Contains(got, "old\n") {
		t.Error("what was there before is still there")
	}
}

func TestReplaceBetween(t *testing.T) {
	for _, c := range []struct{ old, want string }{
		{"a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n", "a\n<!-- x:begin -->\nNEW\n<!-- x:end -->\nb\n"},
		{"<!-- x:begin -->\n<!-- x:end -->\n", "<!-- x:begin -->\nNEW\n<!-- x:end -->\n"},
		{"<!-- y:begin -->\n<!-- y:end -->\n", ""},
		{"<!-- x:end -->\n<!-- x:begin -->\n", ""},
		{"", ""},
	} {
		got, err := replaceBetween([]byte(c.old), "x", "NEW\n")
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v", c.old, got, err)
		}
	}
}

func TestStatistics(t *testing.T) {
	for _, c := range []struct {
		list []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 100}, 3}} {
		if got := median(c.list); got != c.want {
			t.Errorf("median of %v: %v", c.list, got)
		}
	}
	if got := ratiosOf([]float64{2, 3, 4}, []float64{1, 0, 8}); !cmp.Equal(got, []float64{2, 0.5}) {
		t.Errorf("ratios %v", got)
	}
	for v, want := range map[float64]string{0: "0", 999: "999", 1234: "1.2 k", 123456: "123 k", 2.345e6: "2.35 M"} {
		if got := perSecond(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

func TestMarkdownTable(t *testing.T) {
	tab := newTable("a", "µs")
	tab.add("long", "1")
	want := "|    a | µs |\n|-----:|---:|\n| long |  1 |\n"
	if diff := cmp.Diff(want, tab.String()); diff != "" {
		t.Error(diff)
	}
}

// TestRatioOfProcessorTime: in a ratio more is better, also where less time is.
func TestRatioOfProcessorTime(t *testing.T) {
	c := &cell{hops: 1, depth: 32, ours: []rate{{perSecond: 100, cpu: 2000}}, theirs: []rate{{perSecond: 200, cpu: 1000}}}
	want := []string{"1", "32", "quiet", "100", "200", "0.50", "0.50–0.50", "2.00", "1.00", "0.50"}
	if diff := cmp.Diff(want, c.row()); diff != "" {
		t.Error(diff)
	}
	c.theirs = nil
	if got := c.row(); got[4] != "–" || got[9] != "–" || got[7] != "2.00" {
		t.Errorf("without a yardstick: %v", got)
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	before, err := usageOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); time.Since(begun) < 20*time.Millisecond; {
		_ = math.Sqrt(float64(begun.UnixNano())) // uses the processor: that is measured
	}
	after, err := usageOf(os.Getpid())
	if err != nil || after.cpu <= before.cpu {
		t.Errorf("%v, then %v: %v", before, after, err)
	}
	if n, err := privateMemory(os.Getpid()); err != nil || n < 1<<20 {
		t.Errorf("private memory %d: %v", n, err)
	}
	if _, err := usageOf(1 << 30); err == nil {
		t.Error("a process that isn't there has used something")
	}
}

func TestArguments(t *testing.T) {
	for _, args := range []string{"extra", "-rounds 0", "-time 0s", "-kills 0", "-idle -1s", "-frob"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	o, err := parse([]string{"-only", "idle"})
	if err != nil || o.out != "" {
		t.Errorf("a part alone would be written into %q: %v", o.out, err)
	}
	if err := childMain([]string{"nobody", "-"}); err == nil || !strings.Contains(fmt.Sprint(err), "unknown child") {
		t.Errorf("%v", err)
	}
}

func TestStolenLine(t *testing.T) {
	now := readProcessorTimes()
	if now.all == 0 || now.stolen > now.all {
		t.Errorf("%+v", now)
	}
	atStart = processorTimes{}
	if line := stolenLine(); !strings.Contains(line, "% to others") {
		t.Errorf("%q", line)
	}
}
