package top

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"archipelago/internal/stats"
	"archipelago/xseg"
)

// samples are one second apart: web-1 writes, web-2 reads and fails, db is idle and unserved.
func samples() (before, now *stats.Sample) {
	volume := func(n byte, name string) xseg.VolumeInfo {
		return xseg.VolumeInfo{UUID: xseg.UUID{n}, Name: name, Alive: true, SizeBytes: 1 << 30}
	}
	before = &stats.Sample{At: time.Unix(100, 0).UTC()}
	now = &stats.Sample{At: time.Unix(101, 0).UTC(), Info: xseg.Info{VolumesMissed: 2}}
	a, b, c := volume(1, "web-1"), volume(2, "web-2"), volume(3, "db")
	a.Ops[xseg.VolumeWrite] = xseg.VolumeCounters{Requests: 1000, Bytes: 4 << 20}
	a.Ops[xseg.VolumeWrite].Latency[3] = 1000
	b.Ops[xseg.VolumeRead] = xseg.VolumeCounters{Requests: 200, Bytes: 8 << 20, Errors: 3}
	b.Ops[xseg.VolumeRead].Latency[9] = 200
	b.Depth, c.Alive = 7, false
	now.Volumes = []xseg.VolumeInfo{a, b, c}
	now.Ports = []xseg.PortInfo{{No: 500, Role: "vlmcd", PID: 1, Alive: true, Incarnation: 1},
		{No: 1000, Role: "blockerb", PID: 2, Incarnation: 2}}
	return before, now
}

func updated() *View {
	v := New()
	v.Update(samples())
	return v
}

func names(v *View) string {
	var list []string
	for _, r := range v.Report().Volumes {
		list = append(list, r.Name)
	}
	return strings.Join(list, " ")
}

func TestScreen(t *testing.T) {
	want := `00:01:41  3 volumes  1200 IOPS  read 8.0M/s  write 4.0M/s  (2 uncounted)
sorted by iops

VOLUME                     IOPS   RD/S   WR/S   READ  WRITE    P50    P99  DEPTH
web-1                      1000      0   1000      0   4.0M  3.1µs  4.1µs      0
web-2 !                     200    200      0   8.0M      0  196µs  261µs      7
db ?                          0      0      0      0      0      -      -      0

PEER       PORT   IN/S  OUT/S   READ  WRITE    P50    P99  DEPTH
vlmcd       500      0      0      0      0      -      -      0
blockerb   1000      0      0      0      0      -      -      0  DEAD

q quit  space pause  / filter  i b l d e n sort  r reverse  p peers  ? help
`
	if diff := cmp.Diff(want, strings.Join(updated().Lines(80, 24), "\n")+"\n"); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestFits: whatever the size, no line is wider than a usual terminal and the keys stay visible.
func TestFits(t *testing.T) {
	v := updated()
	for range 100 {
		v.volumes = append(v.volumes, stats.VolumeRate{Name: strings.Repeat("n", 128), Alive: true,
			OpRate: stats.OpRate{PerSecond: 1e12, BytesPerSecond: 1e18, P50: 5e12, P99: 5e12}, Depth: 1 << 60})
	}
	for _, height := range []int{24, 30, 60} {
		lines := v.Lines(80, height)
		if len(lines) != height {
			t.Errorf("%d lines for a height of %d", len(lines), height)
		}
		for _, line := range append(lines, helpLines...) {
			if n := utf8.RuneCountInString(line); n > 80 {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	}
}

func TestKeys(t *testing.T) {
	v := updated()
	for _, c := range []struct{ keys, want string }{
		{"", "web-1 web-2 db"}, {"r", "db web-2 web-1"}, {"r", "web-1 web-2 db"}, {"b", "web-2 web-1 db"},
		{"n", "db web-1 web-2"}, {"d", "web-2 db web-1"}, {"l", "web-2 web-1 db"}, {"e", "web-2 db web-1"},
		{"/WEB", "web-2 web-1"}, {"-1", "web-1"}, {"\x7f2\r", "web-2"}, {"/zz", ""}, {"\x1b", "web-2 db web-1"},
		{"/q\r", ""}, {"/\rx?", "web-2 db web-1"},
	} {
		for i := range len(c.keys) {
			if v.Key(c.keys[i]) {
				t.Fatalf("%q ended it", c.keys)
			}
		}
		if got := names(v); got != c.want {
			t.Errorf("%q: %q, want %q", c.keys, got, c.want)
		}
	}
	if got := v.Lines(80, 24); got[0] != helpLines[0] {
		t.Errorf("? shows %q", got[0])
	}
	if v.Key('x') || v.Lines(80, 24)[0] == helpLines[0] {
		t.Error("no way back from the help")
	}
	if !v.Key('q') {
		t.Error("q doesn't end it")
	}
}

// TestPause: a paused view stands still, whatever happens; then it goes on.
func TestPause(t *testing.T) {
	v := updated()
	v.Key(' ')
	v.Fail(errors.New("gone"))
	v.Update(&stats.Sample{At: time.Unix(1, 0)}, &stats.Sample{At: time.Unix(2, 0)})
	if names(v) != "web-1 web-2 db" || !strings.Contains(v.Lines(80, 24)[1], "PAUSED") {
		t.Errorf("%q", v.Lines(80, 24))
	}
	v.Key(' ')
	v.Fail(errors.New("gone"))
	if lines := v.Lines(80, 24); names(v) != "" || lines[0] != "gone" {
		t.Errorf("%q", lines)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct{ name, want string }{{"short", "short"}, {"exactly-10", "exactly-10"}, {"much-longer-000017", "much-…0017"}} {
		if got := cut(c.name, 10); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
