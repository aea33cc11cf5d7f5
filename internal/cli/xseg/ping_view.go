package xseg

import (
	"fmt"
	"strings"

	"archipelago/internal/cli/screen"
	"archipelago/xseg"
)

// barWidth is how long the longest bar of the histogram is.
const barWidth = 40

type (
	pingView struct {
		Segment   string    `json:"segment"`
		Port      int       `json:"port"`
		Role      string    `json:"role"`
		PID       int       `json:"pid"`
		Sent      uint64    `json:"sent"`
		Answered  uint64    `json:"answered"`
		Failed    uint64    `json:"failed"` // of those, with an error
		Min       int64     `json:"min_ns"`
		Mean      int64     `json:"mean_ns"`
		P50       int64     `json:"p50_ns"`
		P90       int64     `json:"p90_ns"`
		P99       int64     `json:"p99_ns"`
		Max       int64     `json:"max_ns"`
		Histogram []binView `json:"histogram"`
	}
	binView struct {
		From  int64  `json:"from_ns"`
		To    int64  `json:"to_ns"`
		Count uint64 `json:"count"`
	}
)

func viewPing(segment string, t *xseg.PortInfo, p *pinger) *pingView {
	l := &p.took
	v := &pingView{
		Segment: segment, Port: int(t.No), Role: t.Role, PID: t.PID,
		Sent: p.sent, Answered: l.n, Failed: p.failed,
		Min: l.min, Mean: l.mean(), P50: l.quantile(0.5), P90: l.quantile(0.9), P99: l.quantile(0.99), Max: l.max,
		Histogram: []binView{},
	}
	for _, b := range l.powers() {
		v.Histogram = append(v.Histogram, binView{b.Lo, b.Hi, b.N})
	}
	return v
}

func (v *pingView) lines() []string {
	lines := []string{fmt.Sprintf("PING port %d (%s, pid %d): %d sent, %d answered", v.Port, v.Role, v.PID,
		v.Sent, v.Answered)}
	if v.Answered == 0 {
		return lines
	}
	lines = append(lines, fmt.Sprintf("min %s  p50 %s  p90 %s  p99 %s  max %s  mean %s", screen.ShortTime(v.Min),
		screen.ShortTime(v.P50), screen.ShortTime(v.P90), screen.ShortTime(v.P99), screen.ShortTime(v.Max), screen.ShortTime(v.Mean)))
	return append(append(lines, ""), v.bars()...)
}

// bars draws the histogram: a row per power of two.
func (v *pingView) bars() []string {
	var most uint64
	for _, b := range v.Histogram {
		most = max(most, b.Count)
	}
	t := screen.Table{Titles: []string{"FROM", "TO", "COUNT", "<"}}
	for _, b := range v.Histogram {
		n := int((b.Count*barWidth + most - 1) / most) // one # for any count but 0
		t.Add(screen.ShortTime(b.From), screen.ShortTime(b.To), screen.ShortCount(b.Count), strings.Repeat("#", n))
	}
	return t.Lines()
}
