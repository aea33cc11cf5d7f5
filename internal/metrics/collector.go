package metrics

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"archipelago/internal/config"
	"archipelago/internal/stats"
	"archipelago/internal/version"
	"archipelago/xseg"
)

var (
	buildInfo = gauge("build_info", "Version of the program that shows the metrics; always 1.", "version")
	up        = gauge("up", "Whether the segment of the node is there.")
)

// Collector collects the metrics of one node. It is a prometheus.Collector, safe for concurrent use.
type Collector struct {
	cfg     *config.Config
	storage *storage

	mu    sync.Mutex // of watch
	watch *stats.Watcher
}

// New makes a collector of a node. Close it.
func New(cfg *config.Config) *Collector {
	return &Collector{cfg: cfg, storage: newStorage(cfg), watch: stats.Watch(cfg.SegmentName)}
}

// Close gives up what the collector holds.
func (c *Collector) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch.Close()
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range all {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	out := sink(ch)
	out.put(buildInfo, 1, version.String())
	c.storage.collect(out)
	sample, err := c.sample()
	if err != nil && !errors.Is(err, xseg.ErrNoSegment) {
		slog.Error("look at the segment", "segment", c.cfg.SegmentName, "error", err)
	}
	out.put(up, boolean(err == nil))
	if err != nil {
		sample = &stats.Sample{} // every role is down then
	} else {
		segment(out, &sample.Info, len(sample.Channels))
	}
	roles(out, c.cfg, sample.Ports)
	ports(out, c.cfg, sample.Ports)
	volumes(out, sample.Volumes)
}

func (c *Collector) sample() (*stats.Sample, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, now, err := c.watch.Step()
	return now, err
}
