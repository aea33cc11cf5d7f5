package xseg

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"archipelago/internal/stats"
	"archipelago/xseg"
)

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// twoSamples are two seconds apart: 500 serves 2000 requests of 1003, which serves none; 1000 was
// bound anew between them.
func twoSamples() (old, now *stats.Sample) {
	old = &stats.Sample{At: time.Unix(100, 0), Ports: []xseg.PortInfo{
		{No: 500, Role: "vlmcd", PID: 1, Alive: true, Incarnation: 1, Counters: counters(1000, 4)},
		{No: 1000, Role: "blockerb", PID: 2, Alive: true, Incarnation: 2, Counters: counters(5000, 4)},
	}}
	busy := counters(3000, 4)
	busy.Latency[4], busy.Latency[2] = 1000, 2000
	busy.Errors, busy.BytesRead = 4, 5<<30+8<<20
	sent := counters(2000, 6)
	sent.InFlight, sent.BytesRead, sent.BytesWritten = 1, 8<<20, 0
	now = &stats.Sample{At: time.Unix(102, 0), Info: xseg.Info{Name: "seg", BackedBytes: 3 << 20}, Ports: []xseg.PortInfo{
		{No: 500, Role: "vlmcd", PID: 1, Alive: true, Incarnation: 1, Counters: busy},
		{No: 1000, Role: "blockerb", PID: 3, Incarnation: 4, Counters: counters(10, 0)},
		{No: 1003, Role: "vlmc", PID: 9, Alive: true, Incarnation: 5},
	}, Channels: []xseg.ChannelInfo{{ID: 0, Src: 1003, Dst: 500, Counters: sent}}}
	return old, now
}

func TestRates(t *testing.T) {
	got := stats.Ports(twoSamples())
	want := []stats.PortRate{
		{Port: 500, Role: "vlmcd", PID: 1, Alive: true, Received: 1000, Failed: 2, Read: 4 << 20, InFlight: 3,
			P50: got[0].P50, P99: got[0].P99},
		{Port: 1000, Role: "blockerb", PID: 3, Received: 5, Read: 5 << 29, Written: 1 << 19, InFlight: 3,
			P50: got[1].P50, P99: got[1].P99},
		{Port: 1003, Role: "vlmc", PID: 9, Alive: true, Sent: 1000, Read: 4 << 20, InFlight: 1,
			P50: got[2].P50, P99: got[2].P99},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// Only what was served since the first sample: bucket 2, not 4. A port that serves nothing shows
	// what its own requests took.
	if p := got[0].P99; p < 1024 || p > 2048 {
		t.Errorf("p99 of port 500: %d", p)
	}
	if p := got[2].P50; p < 256<<6 || p > 512<<6 {
		t.Errorf("p50 of port 1003: %d", p)
	}
}

func TestWatchTable(t *testing.T) {
	v := viewWatch(twoSamples())
	want := `seg: 3 ports, 1 channels, 3 MiB of memory

PORT  ROLE      PID  IN/S  OUT/S  READ/S  WRITE/S  FLIGHT     P50     P99
 500  vlmcd       1  1000      0    4.0M        0       3   1.5µs   2.0µs
1000  blockerb    3   5.0      0    2.5G     512K       3  <512ns  <512ns  DEAD
1003  vlmc        9     0   1000    4.0M        0       1    25µs    33µs
`
	if diff := cmp.Diff(want, strings.Join(v.lines(), "\n")+"\n"); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, line := range v.lines() {
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
