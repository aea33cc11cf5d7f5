package top

// Key takes a key that was typed; true = the end.
func (v *View) Key(c byte) (quit bool) {
	if v.typing {
		v.typeFilter(c)
		return false
	}
	if v.help {
		v.help = false
		return c == 'q'
	}
	for _, o := range Orders {
		if c == o.Key {
			v.Order = o.Order
			return false
		}
	}
	switch c {
	case 'q', 4: // Ctrl-D
		return true
	case ' ':
		v.paused = !v.paused
	case 'r':
		v.Reverse = !v.Reverse
	case 'p':
		v.Peers = !v.Peers
	case '/':
		v.typing, v.Filter = true, ""
	case '?', 'h':
		v.help = true
	}
	return false
}

// typeFilter takes a key of a filter's text: Enter ends it, Escape drops it.
func (v *View) typeFilter(c byte) {
	switch {
	case c == '\r' || c == '\n':
		v.typing = false
	case c == 27:
		v.typing, v.Filter = false, ""
	case c == 8 || c == 127:
		v.Filter = v.Filter[:max(len(v.Filter)-1, 0)]
	case c > ' ' && c < 127 && len(v.Filter) < maxFilter:
		v.Filter += string(rune(c))
	}
}

// maxFilter is as long as the name of a volume.
const maxFilter = 128

// helpLines is the screen that ? shows.
var helpLines = []string{
	"Keys of archipelago top",
	"",
	"  i b l d e n   sort by IOPS, bandwidth, latency (p99), depth, errors, name",
	"  r             the other way round",
	"  /             show only volumes with this text in their names: Enter ends it,",
	"                Escape takes the filter away",
	"  p             peers, or volumes alone",
	"  space         stand still, or go on",
	"  q, Ctrl-C     end",
	"",
	"IOPS are all requests that ended: reads, writes, flushes, discards. P50 and P99",
	"are how long half, and 99 of 100 of them, took at most inside the node, from the",
	"histogram in the segment (steps of a power of two). DEPTH is what is under way",
	"now. A name is marked with ! if requests failed, with ? if nobody serves it.",
	"",
	"Any key goes back.",
}
