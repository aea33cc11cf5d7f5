package top

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"archipelago/internal/cli/screen"
	"archipelago/internal/stats"
)

// Widths of the volume table: its name takes what the other columns leave.
const (
	fixedColumns = 8 * 7 // eight columns of five characters, with the gaps before them
	minName      = 12
	maxName      = 60
)

// Lines returns the screen for a terminal of that size. A height of 0 means no limit, and no line
// about keys: for a pipe.
func (v *View) Lines(width, height int) []string {
	if v.help && height > 0 {
		return helpLines
	}
	lines := append(v.head(), "")
	var tail []string
	if v.Peers && v.trouble == "" {
		tail = append([]string{""}, v.peerLines()...)
	}
	if height > 0 {
		tail = append(tail, "", keysLine)
	}
	return append(append(lines, v.volumeLines(width, room(height, len(lines), len(tail)))...), tail...)
}

// room is how many lines are left for volumes: at least a few, whatever becomes of the peers.
func room(height, head, tail int) int {
	if height == 0 {
		return -1
	}
	return max(height-head-tail, min(6, height-head))
}

func (v *View) head() []string {
	if v.trouble != "" {
		return []string{v.trouble}
	}
	var read, written, iops float64
	for i := range v.volumes {
		read += v.volumes[i].Read.BytesPerSecond
		written += v.volumes[i].Write.BytesPerSecond
		iops += v.volumes[i].PerSecond
	}
	line := fmt.Sprintf("%s  %d volumes  %s IOPS  read %s/s  write %s/s", v.at.Format("15:04:05"), len(v.volumes),
		screen.ShortRate(iops), screen.ShortBytes(read), screen.ShortBytes(written))
	if v.missed > 0 {
		line += fmt.Sprintf("  (%d uncounted)", v.missed)
	}
	return []string{line, v.state()}
}

// keysLine is at the end of a screen.
const keysLine = "q quit  space pause  / filter  i b l d e n sort  r reverse  p peers  ? help"

// state says what of the volumes is shown, and how.
func (v *View) state() string {
	if v.typing {
		return "filter: " + v.Filter + "_"
	}
	state := "sorted by " + string(v.Order)
	if v.Reverse {
		state += ", reversed"
	}
	if v.Filter != "" {
		state += ", names with " + v.Filter
	}
	if v.paused {
		state = "PAUSED, " + state
	}
	return state
}

func (v *View) volumeLines(width, room int) []string {
	shown := v.shown()
	if len(shown) == 0 {
		if v.trouble != "" {
			return nil
		}
		return []string{v.nothing()}
	}
	name := min(max(width-fixedColumns, minName), maxName)
	t := screen.Table{Titles: []string{"<" + pad("VOLUME", name), " IOPS", " RD/S", " WR/S", " READ", "WRITE", "  P50", "  P99", "DEPTH"}}
	rows := shown
	if room >= 0 && len(shown) > room-1 {
		rows = shown[:max(room-2, 0)]
	}
	for i := range rows {
		t.Add(volumeCells(&rows[i], name)...)
	}
	lines := t.Lines()
	if len(rows) < len(shown) {
		lines = append(lines, fmt.Sprintf("… and %d more", len(shown)-len(rows)))
	}
	return lines
}

func (v *View) nothing() string {
	if v.Filter != "" && len(v.volumes) > 0 {
		return fmt.Sprintf("none of %d volumes has %q in its name", len(v.volumes), v.Filter)
	}
	return "no volume is in use"
}

func volumeCells(r *stats.VolumeRate, name int) []string {
	mark := ""
	switch {
	case !r.Alive:
		mark = " ?"
	case r.FailedPerSecond > 0:
		mark = " !"
	}
	return []string{cut(r.Name, name-len(mark)) + mark, screen.ShortRate(r.PerSecond), screen.ShortRate(r.Read.PerSecond),
		screen.ShortRate(r.Write.PerSecond), screen.ShortBytes(r.Read.BytesPerSecond),
		screen.ShortBytes(r.Write.BytesPerSecond), latency(r.P50), latency(r.P99), screen.ShortCount(r.Depth)}
}

func (v *View) peerLines() []string {
	t := screen.Table{Titles: []string{"<PEER", " PORT", " IN/S", "OUT/S", " READ", "WRITE", "  P50", "  P99", "DEPTH", "<"}}
	for i := range v.ports {
		p := &v.ports[i]
		note := ""
		switch {
		case !p.Alive:
			note = "DEAD"
		case p.Failed > 0:
			note = screen.ShortRate(p.Failed) + " err/s"
		}
		t.Add(cut(p.Role, minName+4), strconv.Itoa(p.Port), screen.ShortRate(p.Received), screen.ShortRate(p.Sent),
			screen.ShortBytes(p.Read), screen.ShortBytes(p.Written), latency(p.P50), latency(p.P99),
			screen.ShortCount(p.InFlight), note)
	}
	return t.Lines()
}

// latency formats one in five columns; the first step of the histogram says little.
func latency(ns int64) string {
	if 0 < ns && ns < stats.FirstBin {
		return "<.5µs"
	}
	return screen.ShortTime(ns)
}

// cut shortens a name to n characters. Its end is kept: that is where numbers are.
func cut(name string, n int) string {
	r := []rune(name)
	if len(r) <= n {
		return name
	}
	return string(r[:n/2]) + "…" + string(r[len(r)-(n-n/2-1):])
}

// pad makes a column as wide as it may become, so that it stands still.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(n-utf8.RuneCountInString(s), 0))
}
