package xseg

import (
	"archipelago/internal/stats"
	"archipelago/xseg"
)

// What --json prints. The names of the fields are documented.
type (
	segmentView struct {
		Name        string       `json:"name"`
		Spec        string       `json:"spec"`
		RuntimeDir  string       `json:"runtime_dir"`
		ABIVersion  uint32       `json:"abi_version"`
		Features    uint64       `json:"features"`
		SizeBytes   int64        `json:"size_bytes"`
		TableBytes  int64        `json:"table_bytes"`
		BackedBytes int64        `json:"backed_bytes"` // -1: the name is gone
		Ports       int          `json:"ports"`        // limits
		Waiters     int          `json:"waiters"`
		Channels    int          `json:"channels"`
		WaitersUsed int          `json:"waiters_used"`
		Lease       leaseView    `json:"lease"`
		Control     *controlView `json:"control,omitempty"`
	}
	leaseView struct {
		Term    uint64 `json:"term"`
		Endless bool   `json:"endless"`
		LeftMS  int64  `json:"left_ms"`
	}
	controlView struct {
		Step  string `json:"step"`
		PID   int    `json:"pid"`
		Arg   uint64 `json:"arg"`
		ForMS int64  `json:"for_ms"`
	}
	countersView struct {
		Requests     uint64     `json:"requests"`
		Errors       uint64     `json:"errors"`
		BytesRead    uint64     `json:"bytes_read"`
		BytesWritten uint64     `json:"bytes_written"`
		InFlight     uint64     `json:"in_flight"`
		Wakes        uint64     `json:"wakes"`
		Restarts     uint64     `json:"restarts"`
		P50          int64      `json:"p50_ns"`
		P99          int64      `json:"p99_ns"`
		Latency      [32]uint64 `json:"latency"` // [i]: 2^i <= ns/256 < 2^(i+1)
	}
	portView struct {
		Port        int    `json:"port"`
		Role        string `json:"role"`
		PID         int    `json:"pid"`
		Alive       bool   `json:"alive"`
		Incarnation uint64 `json:"incarnation"`
		countersView
	}
	channelView struct {
		ID          int    `json:"channel"`
		State       string `json:"state"`
		From        int    `json:"from"`
		To          int    `json:"to"`
		Slots       int    `json:"slots"`
		BufferBytes int64  `json:"buffer_bytes"`
		MemoryBytes int64  `json:"memory_bytes"`
		countersView
	}
	reportView struct {
		Segment  segmentView   `json:"segment"`
		Ports    []portView    `json:"ports"`
		Channels []channelView `json:"channels"`
	}
)

func viewSegment(i xseg.Info) segmentView {
	spec := xseg.Spec{Name: i.Name, Ports: i.Ports, SizeMiB: int(i.SizeBytes >> 20), PageShift: i.PageShift}
	v := segmentView{
		Name: i.Name, Spec: spec.String(), RuntimeDir: i.RuntimeDir,
		ABIVersion: i.ABIVersion, Features: i.Features,
		SizeBytes: i.SizeBytes, TableBytes: i.TableBytes, BackedBytes: i.BackedBytes,
		Ports: i.Ports, Waiters: i.Waiters, Channels: i.Channels, WaitersUsed: i.WaitersUsed,
		Lease: leaseView{i.Lease.Term, i.Lease.Endless, i.Lease.Left.Milliseconds()},
	}
	if c := i.Control; c.Step != "" {
		v.Control = &controlView{c.Step, c.PID, c.Arg, c.For.Milliseconds()}
	}
	return v
}

func viewCounters(c *xseg.Counters) countersView {
	bins := stats.CounterBins(&c.Latency)
	return countersView{
		Requests: c.Requests, Errors: c.Errors, BytesRead: c.BytesRead, BytesWritten: c.BytesWritten,
		InFlight: c.InFlight, Wakes: c.Wakes, Restarts: c.Restarts,
		P50: stats.Quantile(bins, 0.5), P99: stats.Quantile(bins, 0.99), Latency: c.Latency,
	}
}

func viewPort(p *xseg.PortInfo) portView {
	return portView{int(p.No), p.Role, p.PID, p.Alive, p.Incarnation, viewCounters(&p.Counters)}
}

func viewChannel(c *xseg.ChannelInfo) channelView {
	return channelView{c.ID, c.State, int(c.Src), int(c.Dst), c.Slots, c.BufferBytes, c.MemoryBytes(),
		viewCounters(&c.Counters)}
}

// viewReport looks at everything that lies in the segment.
func viewReport(s *xseg.Segment) *reportView {
	r := &reportView{Segment: viewSegment(s.Info()), Ports: []portView{}, Channels: []channelView{}}
	for _, p := range s.Ports() {
		r.Ports = append(r.Ports, viewPort(&p))
	}
	for _, c := range s.Channels() {
		r.Channels = append(r.Channels, viewChannel(&c))
	}
	return r
}
