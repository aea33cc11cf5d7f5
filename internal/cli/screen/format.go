package screen

import (
	"strconv"
	"time"

	"archipelago/internal/stats"
)

// short formats v, in units that are each size times the one before, in at most five characters.
func short(v, size float64, units []string) string {
	i := 0
	for v >= size && i < len(units)-1 {
		v /= size
		i++
	}
	digits := 0
	if i > 0 && v < 9.95 {
		digits = 1
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	// What rounds up to a whole unit is shown as one, not as 1000 or 1024 of the smaller.
	if rounded, _ := strconv.ParseFloat(text, 64); rounded >= size && i < len(units)-1 {
		return short(size, size, units[i:])
	}
	return text + units[i]
}

var (
	countUnits = []string{"", "k", "M", "G", "T", "P", "E"}
	byteUnits  = []string{"", "K", "M", "G", "T", "P", "E"}
	timeUnits  = []string{"ns", "µs", "ms", "s"}
)

// ShortCount formats a number of things: exactly as long as that takes few digits.
func ShortCount(n uint64) string {
	if n < 100_000 {
		return strconv.FormatUint(n, 10)
	}
	return short(float64(n), 1000, countUnits)
}

// ShortRate formats things per second.
func ShortRate(perSecond float64) string {
	if perSecond < 9999.5 {
		if perSecond > 0 && perSecond < 9.95 {
			return strconv.FormatFloat(perSecond, 'f', 1, 64)
		}
		return strconv.FormatFloat(perSecond, 'f', 0, 64)
	}
	return short(perSecond, 1000, countUnits)
}

// ShortBytes formats bytes, or bytes per second.
func ShortBytes(n float64) string { return short(n, 1024, byteUnits) }

// ShortTime formats a latency; "-" for none.
func ShortTime(ns int64) string {
	if ns <= 0 {
		return "-"
	}
	return short(float64(ns), 1000, timeUnits)
}

// CounterTime formats a latency out of the histogram of a counter, whose first bin says little.
func CounterTime(ns int64) string {
	if 0 < ns && ns < stats.FirstBin {
		return "<" + ShortTime(stats.FirstBin)
	}
	return ShortTime(ns)
}

// LongTime formats how long something has lasted.
func LongTime(d time.Duration) string {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
