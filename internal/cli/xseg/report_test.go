package xseg

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"archipelago/xseg"
)

func counters(requests uint64, bucket int) xseg.Counters {
	c := xseg.Counters{Requests: requests, BytesRead: 5 << 30, BytesWritten: 1 << 20, InFlight: 3}
	c.Latency[bucket] = requests
	return c
}

// example is a segment in which everything that a report can say is to be said.
func example() *reportView {
	gone := xseg.PortInfo{No: 1001, Role: "mapperd", PID: 4194304, Incarnation: 2, Counters: counters(12, 9)}
	failing := counters(1234567, 2)
	failing.Errors, failing.Restarts = 7, 2
	return &reportView{
		Segment: viewSegment(xseg.Info{
			Name: "archip-0123456789abcdef", RuntimeDir: "/run/archipelago/archip-0123456789abcdef",
			ABIVersion: 2, PageShift: 12, SizeBytes: 2 << 30, TableBytes: 3215360, BackedBytes: 12 << 20,
			Ports: 2048, Waiters: 1024, Channels: 4096, WaitersUsed: 2,
			Lease:   xseg.LeaseInfo{Term: 3, Left: 4200 * time.Millisecond},
			Control: xseg.ControlInfo{Step: "connect", PID: 77, Arg: 500, For: 2500 * time.Millisecond},
		}),
		Ports: []portView{
			viewPort(&xseg.PortInfo{No: 500, Role: "vlmcd", PID: 4194303, Alive: true, Incarnation: 1, Counters: failing}),
			viewPort(&gone),
		},
		Channels: []channelView{
			viewChannel(&xseg.ChannelInfo{ID: 0, State: "live", Src: 500, Dst: 1001, Slots: 512, SlotsBacked: 512,
				BufferBytes: 64 << 20, BackedBytes: 1 << 20, InFlight: 3, Counters: failing}),
			viewChannel(&xseg.ChannelInfo{ID: 12, State: "orphan", Src: 1003, Dst: 500, Slots: 64, SlotsBacked: 64}),
		},
	}
}

func TestReport(t *testing.T) {
	want := `Segment archip-0123456789abcdef
  spec         posix:archip-0123456789abcdef:2048:2048:12
  layout       ABI version 2, features 0x0
  runtime dir  /run/archipelago/archip-0123456789abcdef
  memory       12 MiB of 2 GiB (tables 3.1 MiB, channels 1.3 MiB)
  in use       2 of 2048 ports, 2 of 4096 channels, 2 of 1024 waiters
  in flight    3 requests
  lease        term 3, ends in 4.2s
  control      connect of 500 by pid 77, for 2.5s

PORT  ROLE         PID  SERVED  ERR  FLIGHT  READ  WRITE    P50    P99
 500  vlmcd    4194303    1.2M    7       3  5.0G   1.0M  1.5µs  2.0µs
1001  mapperd  4194304      12    0       3  5.0G   1.0M  191µs  257µs  DEAD

ID  FROM       TO            SENT  ERR  FLIGHT  MEMORY    P50    P99
 0  500 vlmcd  1001 mapperd  1.2M    7   3/512    1.3M  1.5µs  2.0µs  again 2
12  1003       500 vlmcd        0    0    0/64     36K      -      -  ORPHAN
`
	lines := example().lines()
	if diff := cmp.Diff(want, strings.Join(lines, "\n")+"\n"); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestReportOfAnEmptySegment(t *testing.T) {
	r := &reportView{Segment: segmentView{Name: "x", BackedBytes: -1, Lease: leaseView{Term: 1, Endless: true}}}
	text := strings.Join(r.lines(), "\n")
	for _, want := range []string{"No port is bound.", "memory       not known", "term 1, without end", "0 requests"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "FROM") || strings.Contains(text, "control") {
		t.Error(text)
	}
	r.Segment.Lease = leaseView{Term: 2, LeftMS: -61_000}
	if got := r.Segment.Lease.String(); got != "term 2, ENDED 1m1s ago" {
		t.Error(got)
	}
}

// TestReportJSON holds the names that scripts rely on.
func TestReportJSON(t *testing.T) {
	text, err := json.Marshal(example())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"segment": "abi_version backed_bytes channels control features lease name ports runtime_dir size_bytes " +
			"spec table_bytes waiters waiters_used",
		"ports": "alive bytes_read bytes_written errors in_flight incarnation latency p50_ns p99_ns pid port " +
			"requests restarts role wakes",
		"channels": "buffer_bytes bytes_read bytes_written channel errors from in_flight latency memory_bytes " +
			"p50_ns p99_ns requests restarts slots state to wakes",
	}
	for part, names := range want {
		v := got[part]
		if list, ok := v.([]any); ok {
			v = list[0]
		}
		if diff := cmp.Diff(names, strings.Join(sortedKeys(v.(map[string]any)), " ")); diff != "" {
			t.Errorf("%s: -want +got:\n%s", part, diff)
		}
	}
}
