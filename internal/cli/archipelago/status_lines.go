package archipelago

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"archipelago/internal/cli"
	"archipelago/internal/cli/screen"
	"archipelago/internal/node"
)

// painter colours text on a terminal.
type painter bool

func (p painter) paint(code int, text string) string {
	if !p {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", code, text)
}

// state is a second column: coloured, and as wide as all.
func (p painter) state(text string, good bool) string {
	code := green
	if !good {
		code = red
	}
	return p.paint(code, fmt.Sprintf("%-*s", rowWidth, text))
}

// lines is the whole status in 80 columns, in the documented order: what is mapped, modules, roles
// from the last to the first; then what they work on.
func (v *statusView) lines(p painter) []string {
	lines := append(v.mappedLines(), "")
	for i := len(v.Modules) - 1; i >= 0; i-- {
		lines = append(lines, v.Modules[i].line(p))
	}
	lines = append(lines, v.segmentLine(p), "")
	// The state's column holds no colour here, but is as wide.
	lines = append(lines, fmt.Sprintf("%-*s%-*s%s", rowWidth, "ROLE", rowWidth, "STATE", roleTitles))
	for i := len(v.Peers) - 1; i >= 0; i-- {
		lines = append(lines, v.Peers[i].line(p))
	}
	lines = append(lines, "")
	return append(lines, v.restLines(p)...)
}

func (v *statusView) mappedLines() []string {
	if len(v.Mapped) == 0 {
		return []string{"No volumes mapped"}
	}
	t := screen.Table{Titles: []string{"ID", "<IMAGE", "<DEVICE", "<DRIVER", "<"}}
	for _, m := range v.Mapped {
		mode := ""
		if m.ReadOnly {
			mode = "read-only"
		}
		t.Add(strconv.Itoa(m.Index), m.Name, m.Device, m.Driver, mode)
	}
	return t.Lines()
}

func (m *module) line(p painter) string {
	if m.Loaded {
		return row(m.Name, p.state("Loaded", true), "")
	}
	// Not every node maps devices: that is no fault.
	return row(m.Name, p.paint(yellow, fmt.Sprintf("%-*s", rowWidth, "Not loaded")), "")
}

func (v *statusView) segmentLine(p painter) string {
	if !v.Joined {
		return row("segment", p.state("not there", false), "")
	}
	return row("segment", p.state("there", true), fmt.Sprintf("%s used of %s",
		cli.FormatSize(v.SegmentUsed), cli.FormatSize(int64(v.SizeMiB)<<20)))
}

// Columns behind the state of a role; together with the two before they fill 80.
const (
	roleTitles = "    PID   SINCE REST    MEM  REQ/S"
	roleFormat = "%7d %7s %4s %6s %6s"
)

func (r *roleStatus) line(p painter) string {
	running := r.State == node.StateRunning
	state := r.State
	if running && r.Detail != "" {
		state = r.Detail
	}
	if !running {
		return row(r.Role, p.state(state, false), r.Detail)
	}
	restarts, memory, since := "-", "-", "-"
	if !r.Since.IsZero() {
		since = age(time.Since(r.Since))
	}
	if r.Restarts >= 0 {
		restarts = screen.ShortCount(uint64(r.Restarts))
	}
	if r.Memory >= 0 {
		memory = screen.ShortBytes(float64(r.Memory))
	}
	return row(r.Role, p.state(state, r.Detail == ""), fmt.Sprintf(roleFormat, r.PID, since,
		restarts, memory, screen.ShortRate(r.PerSecond)))
}

func (v *statusView) restLines(p painter) []string {
	var lines []string
	for _, s := range v.Stores {
		used := 0
		if s.Total > 0 {
			used = int(100 * (s.Total - s.Free) / s.Total)
		}
		lines = append(lines, row("storage of "+s.Role, "", fmt.Sprintf("%s free of %s, %d%% used: %s",
			cli.FormatSize(s.Free), cli.FormatSize(s.Total), used, s.Path)))
	}
	lines = append(lines, row("locks", "", v.lockText()))
	if v.Lease != nil {
		lines = append(lines, row("lease", "", v.leaseText(p)))
	}
	if v.Running && v.Socket != "" {
		lines = append(lines, row("NBD socket", "", v.Socket))
	}
	lines = append(lines, row("run by", "", v.managerText()))
	for _, what := range v.Unknown {
		lines = append(lines, "not known: "+what)
	}
	return lines
}

// lockNames is how many names of locked volumes are shown.
const lockNames = 3

func (v *statusView) lockText() string {
	if len(v.Locks) == 0 {
		return "none"
	}
	names := v.Locks[:min(len(v.Locks), lockNames)]
	text := fmt.Sprintf("%d: %s", len(v.Locks), strings.Join(names, ", "))
	if len(names) < len(v.Locks) {
		text += ", …"
	}
	return text
}

func (v *statusView) leaseText(p painter) string {
	left := time.Duration(v.Lease.LeftMS) * time.Millisecond
	if left < 0 {
		return p.paint(red, fmt.Sprintf("term %d, ENDED %s ago", v.Lease.Term, screen.LongTime(-left)))
	}
	return fmt.Sprintf("term %d, ends in %s", v.Lease.Term, screen.LongTime(left))
}

func (v *statusView) managerText() string {
	switch v.Manager {
	case "run":
		if v.InProcess {
			return fmt.Sprintf("archipelago run --in-process, pid %d, memory %s", v.Supervisor,
				screen.ShortBytes(float64(v.Memory)))
		}
		return fmt.Sprintf("archipelago run, pid %d", v.Supervisor)
	case "":
		if v.Joined {
			return "not known"
		}
		return "nobody"
	}
	return v.Manager
}

// row is a line: the first column is as wide as documented, the others are given.
func row(name, state, rest string) string {
	return strings.TrimRight(fmt.Sprintf("%-*s%s%s", rowWidth, name, state, rest), " ")
}

// age formats how long ago something was in at most seven characters.
func age(d time.Duration) string {
	d = d.Round(time.Second)
	days, hours := int(d.Hours())/24, int(d.Hours())%24
	switch {
	case d < 0 || days > 9999:
		return "-"
	case days > 99:
		return fmt.Sprintf("%dd", days)
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}
