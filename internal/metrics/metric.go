package metrics

import "github.com/prometheus/client_golang/prometheus"

// Metric describes one family of metrics.
type Metric struct {
	Name   string
	Type   string // counter, gauge or histogram
	Help   string
	Labels []string

	desc *prometheus.Desc
}

// all is every family, in the order in which they were made.
var all []*Metric

// All lists the families.
func All() []Metric {
	list := make([]Metric, 0, len(all))
	for _, m := range all {
		list = append(list, *m)
	}
	return list
}

func metric(typ, name, help string, labels ...string) *Metric {
	m := &Metric{Name: "archipelago_" + name, Type: typ, Help: help, Labels: labels}
	m.desc = prometheus.NewDesc(m.Name, help, labels, nil)
	all = append(all, m)
	return m
}

func counter(name, help string, labels ...string) *Metric {
	return metric("counter", name, help, labels...)
}

func gauge(name, help string, labels ...string) *Metric {
	return metric("gauge", name, help, labels...)
}

func histogram(name, help string, labels ...string) *Metric {
	return metric("histogram", name, help, labels...)
}

// sink takes the values of a scrape.
type sink chan<- prometheus.Metric

func (s sink) put(m *Metric, value float64, labels ...string) {
	typ := prometheus.GaugeValue
	if m.Type == "counter" {
		typ = prometheus.CounterValue
	}
	s <- prometheus.MustNewConstMetric(m.desc, typ, value, labels...)
}

// Buckets of the histograms: powers of two from firstBucket on. The counters in the segment have
// some more at both ends, which are put together: each bucket is a series for each volume.
const (
	firstBucket = 3  // ends at 4.096 µs
	lastBucket  = 24 // ends at 8.6 s
)

// latency puts a histogram of the segment. Its sum isn't counted there: it is estimated, with each
// request in the middle of its step.
func (s sink) latency(m *Metric, steps *[32]uint64, labels ...string) {
	buckets := map[float64]uint64{}
	var count uint64
	var sum float64
	for i, n := range steps {
		end := 512e-9 * float64(uint64(1)<<i) // s
		count += n
		sum += float64(n) * end * 0.75
		if firstBucket <= i && i <= lastBucket {
			buckets[end] = count
		}
	}
	s <- prometheus.MustNewConstHistogram(m.desc, count, sum, buckets, labels...)
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
