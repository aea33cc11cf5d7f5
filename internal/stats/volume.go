package stats

import (
	"encoding/hex"

	"archipelago/xseg"
)

// OpRate is what one kind of request on a volume did between two samples.
type OpRate struct {
	PerSecond       float64 `json:"per_s"` // requests that ended, failed ones too
	FailedPerSecond float64 `json:"failed_per_s"`
	BytesPerSecond  float64 `json:"bytes_per_s"`
	P50             int64   `json:"p50_ns"` // 0: none
	P99             int64   `json:"p99_ns"`
}

// VolumeRate is what a volume did between two samples. The sums at its end are of reads, writes,
// flushes and discards; bytes are those of reads and writes alone.
type VolumeRate struct {
	Name      string `json:"name"`
	UUID      string `json:"uuid"`
	SizeBytes int64  `json:"size_bytes"`
	Port      int    `json:"port"`
	Alive     bool   `json:"alive"` // whoever serves it lives
	Depth     uint64 `json:"depth"` // requests under way at the second sample
	Read      OpRate `json:"read"`
	Write     OpRate `json:"write"`
	Flush     OpRate `json:"flush"`
	Discard   OpRate `json:"discard"`
	OpRate
}

// Volumes compares two samples; the list has the order of the second. A volume that the first
// doesn't know counts from zero.
func Volumes(old, now *Sample) []VolumeRate {
	seconds := secondsBetween(old, now)
	before := map[xseg.UUID]*xseg.VolumeInfo{}
	for i := range old.Volumes {
		before[old.Volumes[i].UUID] = &old.Volumes[i]
	}
	list := make([]VolumeRate, 0, len(now.Volumes))
	for i := range now.Volumes {
		list = append(list, volumeRate(&now.Volumes[i], before[now.Volumes[i].UUID], seconds))
	}
	return list
}

func volumeRate(v, before *xseg.VolumeInfo, seconds float64) VolumeRate {
	r := VolumeRate{Name: v.Name, UUID: FormatUUID(v.UUID), SizeBytes: v.SizeBytes, Port: int(v.Port),
		Alive: v.Alive, Depth: v.Depth}
	var all xseg.VolumeCounters
	for op, to := range map[xseg.VolumeOp]*OpRate{xseg.VolumeRead: &r.Read, xseg.VolumeWrite: &r.Write,
		xseg.VolumeFlush: &r.Flush, xseg.VolumeDiscard: &r.Discard} {
		c := v.Ops[op]
		if before != nil {
			volumeSince(&c, &before.Ops[op])
		}
		*to = opRate(&c, seconds)
		if op != xseg.VolumeRead && op != xseg.VolumeWrite {
			c.Bytes = 0
		}
		addVolume(&all, &c)
	}
	r.OpRate = opRate(&all, seconds)
	return r
}

func opRate(c *xseg.VolumeCounters, seconds float64) OpRate {
	bins := CounterBins(&c.Latency)
	return OpRate{
		PerSecond: float64(c.Requests) / seconds, FailedPerSecond: float64(c.Errors) / seconds,
		BytesPerSecond: float64(c.Bytes) / seconds, P50: Quantile(bins, 0.5), P99: Quantile(bins, 0.99),
	}
}

// volumeSince takes off what had been counted before, unless the counters were begun anew since.
func volumeSince(c, before *xseg.VolumeCounters) {
	if before.Requests > c.Requests {
		return
	}
	c.Requests -= before.Requests
	c.Errors -= min(c.Errors, before.Errors)
	c.Bytes -= min(c.Bytes, before.Bytes)
	lessBins(c.Latency[:], before.Latency[:])
}

func addVolume(to, c *xseg.VolumeCounters) {
	to.Requests += c.Requests
	to.Errors += c.Errors
	to.Bytes += c.Bytes
	addBins(to.Latency[:], c.Latency[:])
}

// FormatUUID returns the usual form of a UUID.
func FormatUUID(u xseg.UUID) string {
	var b [36]byte
	at := 0
	for i, part := range [...][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			b[at] = '-'
			at++
		}
		at += hex.Encode(b[at:], part)
	}
	return string(b[:])
}
