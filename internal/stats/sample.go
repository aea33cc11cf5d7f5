package stats

import (
	"math"
	"time"

	"archipelago/xseg"
)

// Sample is a look at all counters of a segment.
type Sample struct {
	At       time.Time
	Info     xseg.Info
	Ports    []xseg.PortInfo
	Channels []xseg.ChannelInfo
	Volumes  []xseg.VolumeInfo
}

// Take looks at a segment. Asks no peer.
func Take(s *xseg.Segment) *Sample {
	return &Sample{At: time.Now(), Info: s.Info(), Ports: s.Ports(), Channels: s.Channels(), Volumes: s.Volumes()}
}

// secondsBetween is never 0: nothing can be said of the rates between two samples of one instant.
func secondsBetween(old, now *Sample) float64 {
	if d := now.At.Sub(old.At).Seconds(); d > 0 {
		return d
	}
	return math.Inf(1)
}

// PortRate is what a port did between two samples. Bytes, requests in flight and latencies are of
// the requests that it received; of a port that never received any, of those that it submitted.
type PortRate struct {
	Port     int     `json:"port"`
	Role     string  `json:"role"`
	PID      int     `json:"pid"`
	Alive    bool    `json:"alive"`
	Received float64 `json:"received_per_s"`
	Sent     float64 `json:"sent_per_s"`
	Failed   float64 `json:"failed_per_s"`
	Read     float64 `json:"read_bytes_per_s"`
	Written  float64 `json:"written_bytes_per_s"`
	InFlight uint64  `json:"in_flight"`
	P50      int64   `json:"p50_ns"`
	P99      int64   `json:"p99_ns"`
}

// Ports compares two samples; ports that one of them doesn't know count from zero.
func Ports(old, now *Sample) []PortRate {
	seconds := secondsBetween(old, now)
	received := map[uint64]*xseg.Counters{} // by incarnation
	for i := range old.Ports {
		received[old.Ports[i].Incarnation] = &old.Ports[i].Counters
	}
	sent := submitted(old, now)
	list := make([]PortRate, 0, len(now.Ports))
	for i := range now.Ports {
		p := &now.Ports[i]
		in := p.Counters
		since(&in, received[p.Incarnation])
		list = append(list, rate(p, &in, sent[p.No], seconds))
	}
	return list
}

// submitted sums up what each port submitted on its channels.
func submitted(old, now *Sample) map[xseg.PortNo]*xseg.Counters {
	before := map[int]*xseg.ChannelInfo{}
	for i := range old.Channels {
		before[old.Channels[i].ID] = &old.Channels[i]
	}
	sums := map[xseg.PortNo]*xseg.Counters{}
	for i := range now.Channels {
		c := now.Channels[i]
		if b := before[c.ID]; b != nil && b.Src == c.Src && b.Dst == c.Dst {
			since(&c.Counters, &b.Counters)
		}
		if sums[c.Src] == nil {
			sums[c.Src] = &xseg.Counters{}
		}
		sum(sums[c.Src], &c.Counters)
	}
	return sums
}

// since takes off what had been counted before, unless the counters were begun anew since.
func since(c, before *xseg.Counters) {
	if before == nil || before.Requests > c.Requests {
		return
	}
	c.Requests -= before.Requests
	c.Errors -= min(c.Errors, before.Errors)
	c.BytesRead -= min(c.BytesRead, before.BytesRead)
	c.BytesWritten -= min(c.BytesWritten, before.BytesWritten)
	lessBins(c.Latency[:], before.Latency[:])
}

// lessBins takes off what had been counted before.
func lessBins(bins, before []uint64) {
	for i := range bins {
		bins[i] -= min(bins[i], before[i])
	}
}

func addBins(to, bins []uint64) {
	for i := range to {
		to[i] += bins[i]
	}
}

func sum(to, c *xseg.Counters) {
	to.Requests += c.Requests
	to.Errors += c.Errors
	to.BytesRead += c.BytesRead
	to.BytesWritten += c.BytesWritten
	to.InFlight += c.InFlight
	addBins(to.Latency[:], c.Latency[:])
}

func rate(p *xseg.PortInfo, in, out *xseg.Counters, seconds float64) PortRate {
	r := PortRate{Port: int(p.No), Role: p.Role, PID: p.PID, Alive: p.Alive}
	r.Received = float64(in.Requests) / seconds
	c := in
	if out != nil {
		r.Sent = float64(out.Requests) / seconds
		if p.Counters.Requests == 0 && p.Counters.InFlight == 0 {
			c = out
		}
	}
	r.Failed = float64(c.Errors) / seconds
	r.Read, r.Written = float64(c.BytesRead)/seconds, float64(c.BytesWritten)/seconds
	bins := CounterBins(&c.Latency)
	r.InFlight, r.P50, r.P99 = c.InFlight, Quantile(bins, 0.5), Quantile(bins, 0.99)
	return r
}
