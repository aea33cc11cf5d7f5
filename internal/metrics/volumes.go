package metrics

import (
	"archipelago/internal/stats"
	"archipelago/xseg"
)

var (
	volumeInfo     = gauge("volume_info", "A volume in use, with its UUID; always 1.", "volume", "uuid")
	volumeServed   = gauge("volume_served", "Whether whoever serves the volume lives.", "volume")
	volumeSize     = gauge("volume_size_bytes", "Size of the volume.", "volume")
	volumeDepth    = gauge("volume_requests_in_flight", "Requests on the volume that are under way.", "volume")
	volumeRequests = counter("volume_requests_total", "Requests on the volume that have ended.", "volume", "operation")
	volumeErrors   = counter("volume_request_errors_total", "Of them, those that failed.", "volume", "operation")
	volumeBytes    = counter("volume_bytes_total", "Bytes that the requests that went well were about.", "volume", "operation")
	volumeLatency  = histogram("volume_request_duration_seconds", "From the receipt of a request to its answer.", "volume", "operation")
)

// operations are the values of the label, by xseg.VolumeOp.
var operations = [xseg.VolumeOps]string{
	xseg.VolumeRead: "read", xseg.VolumeWrite: "write", xseg.VolumeFlush: "flush", xseg.VolumeDiscard: "discard",
}

func volumes(out sink, list []xseg.VolumeInfo) {
	seen := map[string]bool{}
	for i := range list {
		v := &list[i]
		if seen[v.Name] { // renamed while we looked: a series must not come twice
			continue
		}
		seen[v.Name] = true
		out.put(volumeInfo, 1, v.Name, stats.FormatUUID(v.UUID))
		out.put(volumeServed, boolean(v.Alive), v.Name)
		out.put(volumeSize, float64(v.SizeBytes), v.Name)
		out.put(volumeDepth, float64(v.Depth), v.Name)
		for op := range v.Ops {
			c := &v.Ops[op]
			out.put(volumeRequests, float64(c.Requests), v.Name, operations[op])
			out.put(volumeErrors, float64(c.Errors), v.Name, operations[op])
			if xseg.VolumeOp(op) != xseg.VolumeFlush {
				out.put(volumeBytes, float64(c.Bytes), v.Name, operations[op])
			}
			if c.Requests > 0 { // many buckets: only where there is something to show
				out.latency(volumeLatency, &c.Latency, v.Name, operations[op])
			}
		}
	}
}
