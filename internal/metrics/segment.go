package metrics

import "archipelago/xseg"

var (
	segmentSize     = gauge("segment_size_bytes", "Size of the segment: the limit of its memory.")
	segmentMemory   = gauge("segment_memory_bytes", "Memory behind the segment.")
	segmentChannels = gauge("segment_channels", "Channels in use.")
	segmentLimit    = gauge("segment_channels_limit", "Channels that the segment has room for.")
	volumesLimit    = gauge("volumes_limit", "Volumes whose counters the segment has room for.")
	volumesMissed   = counter("volumes_uncounted_total", "Volumes that were served without counters, for lack of room.")
	controlStep     = gauge("control_step_seconds", "How long the control step of the segment that is under way has taken; 0: none is.")
	leaseLeft       = gauge("lease_left_seconds", "Time until the lease of the node ends; missing if it has none.")
	leaseTerm       = gauge("lease_term", "Term of the lease: raised each time that it had ended.")
)

func segment(out sink, i *xseg.Info, channels int) {
	out.put(segmentSize, float64(i.SizeBytes))
	out.put(segmentMemory, float64(max(i.BackedBytes, 0)))
	out.put(segmentChannels, float64(channels))
	out.put(segmentLimit, float64(i.Channels))
	out.put(volumesLimit, float64(i.Volumes))
	out.put(volumesMissed, float64(i.VolumesMissed))
	out.put(controlStep, i.Control.For.Seconds())
	out.put(leaseTerm, float64(i.Lease.Term))
	if !i.Lease.Endless {
		out.put(leaseLeft, i.Lease.Left.Seconds())
	}
}
