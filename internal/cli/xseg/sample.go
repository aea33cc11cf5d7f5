package xseg

import (
	"time"

	"archipelago/xseg"
)

// sample is a look at all counters of a segment.
type sample struct {
	at       time.Time
	info     xseg.Info
	ports    []xseg.PortInfo
	channels []xseg.ChannelInfo
}

func takeSample(s *xseg.Segment) *sample {
	return &sample{at: time.Now(), info: s.Info(), ports: s.Ports(), channels: s.Channels()}
}

// portRate is what a port did between two samples. Bytes, requests in flight and latencies are of
// the requests that it received; of a port that never received any, of those that it submitted.
type portRate struct {
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

// rates compares two samples; ports that one of them doesn't know count from zero.
func rates(old, now *sample) []portRate {
	seconds := now.at.Sub(old.at).Seconds()
	received := map[uint64]*xseg.Counters{} // by incarnation
	for i := range old.ports {
		received[old.ports[i].Incarnation] = &old.ports[i].Counters
	}
	sent := submitted(old, now)
	list := make([]portRate, 0, len(now.ports))
	for i := range now.ports {
		p := &now.ports[i]
		in := p.Counters
		since(&in, received[p.Incarnation])
		list = append(list, rate(p, &in, sent[p.No], seconds))
	}
	return list
}

// submitted sums up what each port submitted on its channels.
func submitted(old, now *sample) map[xseg.PortNo]*xseg.Counters {
	before := map[int]*xseg.ChannelInfo{}
	for i := range old.channels {
		before[old.channels[i].ID] = &old.channels[i]
	}
	sums := map[xseg.PortNo]*xseg.Counters{}
	for i := range now.channels {
		c := now.channels[i]
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
	for i := range c.Latency {
		c.Latency[i] -= min(c.Latency[i], before.Latency[i])
	}
}

func sum(to, c *xseg.Counters) {
	to.Requests += c.Requests
	to.Errors += c.Errors
	to.BytesRead += c.BytesRead
	to.BytesWritten += c.BytesWritten
	to.InFlight += c.InFlight
	for i := range c.Latency {
		to.Latency[i] += c.Latency[i]
	}
}

func rate(p *xseg.PortInfo, in, out *xseg.Counters, seconds float64) portRate {
	r := portRate{Port: int(p.No), Role: p.Role, PID: p.PID, Alive: p.Alive}
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
	bins := counterBins(&c.Latency)
	r.InFlight, r.P50, r.P99 = c.InFlight, quantile(bins, 0.5), quantile(bins, 0.99)
	return r
}
