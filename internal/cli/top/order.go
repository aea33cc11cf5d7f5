package top

import (
	"cmp"
	"slices"
	"strings"

	"archipelago/internal/stats"
)

// Order is what the volumes are sorted by.
type Order string

// Orders. All but the name: the largest first.
const (
	ByName      Order = "name"
	ByIOPS      Order = "iops"
	ByBandwidth Order = "bandwidth"
	ByLatency   Order = "latency" // p99
	ByDepth     Order = "depth"
	ByErrors    Order = "errors"
)

// Orders lists them with their keys.
var Orders = []struct {
	Key   byte
	Order Order
}{
	{'i', ByIOPS}, {'b', ByBandwidth}, {'l', ByLatency}, {'d', ByDepth}, {'e', ByErrors}, {'n', ByName},
}

// OrderNames returns them for a help text.
func OrderNames() string {
	var names []string
	for _, o := range Orders {
		names = append(names, string(o.Order))
	}
	return strings.Join(names, ", ")
}

// weight is what an order compares; the larger comes first.
func (o Order) weight(v *stats.VolumeRate) float64 {
	switch o {
	case ByIOPS:
		return v.PerSecond
	case ByBandwidth:
		return v.BytesPerSecond
	case ByLatency:
		return float64(v.P99)
	case ByDepth:
		return float64(v.Depth)
	case ByErrors:
		return v.FailedPerSecond
	}
	return 0
}

// sortVolumes sorts in place; equal ones by name, so that a quiet screen stands still.
func sortVolumes(list []stats.VolumeRate, o Order, reverse bool) {
	slices.SortFunc(list, func(a, b stats.VolumeRate) int {
		c := cmp.Compare(o.weight(&b), o.weight(&a))
		if c == 0 {
			c = cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.UUID, b.UUID))
		}
		if reverse {
			return -c
		}
		return c
	})
}
