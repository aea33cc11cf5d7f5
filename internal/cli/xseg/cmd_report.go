package xseg

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/cli/screen"
	"archipelago/xseg"
)

func newReportCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "report [NAME]",
		Short: "Show what lies in a segment",
		Long: "Show a segment: its limits and memory, its ports with what they have served, its channels\n" +
			"with what was submitted over them. Counters begin when a port is bound or a channel made.\n" +
			"P50 and P99 are estimated from a log2 histogram. No peer is asked.",
		Example: "  xseg report -d /tmp/node",
		Args:    argsThenName(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onSegment(app, args, func(s *xseg.Segment) error {
				r := viewReport(s)
				return app.Print(cmd, func(p *cli.Printer) error {
					if p.JSON() {
						p.Object(r)
						return nil
					}
					for _, line := range r.lines() {
						p.Linef("%s", line)
					}
					return nil
				})
			})
		},
	}
}

// lines is the report as text.
func (r *reportView) lines() []string {
	lines := append(r.summary(), "")
	lines = append(lines, r.portTable()...)
	if len(r.Channels) > 0 {
		lines = append(append(lines, ""), r.channelTable()...)
	}
	return lines
}

func (r *reportView) summary() []string {
	s := &r.Segment
	var channels int64
	var flying uint64
	for i := range r.Channels {
		channels += r.Channels[i].MemoryBytes
		flying += r.Channels[i].InFlight
	}
	memory := "not known: its name is gone"
	if s.BackedBytes >= 0 {
		memory = fmt.Sprintf("%s of %s (tables %s, channels %s)", cli.FormatSize(s.BackedBytes),
			cli.FormatSize(s.SizeBytes), cli.FormatSize(s.TableBytes), cli.FormatSize(channels))
	}
	lines := []string{
		"Segment " + s.Name,
		"  spec         " + s.Spec,
		fmt.Sprintf("  layout       ABI version %d, features %#x", s.ABIVersion, s.Features),
		"  runtime dir  " + s.RuntimeDir,
		"  memory       " + memory,
		fmt.Sprintf("  in use       %d of %d ports, %d of %d channels, %d of %d waiters",
			len(r.Ports), s.Ports, len(r.Channels), s.Channels, s.WaitersUsed, s.Waiters),
		fmt.Sprintf("  in flight    %d requests", flying),
		"  lease        " + s.Lease.String(),
	}
	if c := s.Control; c != nil {
		lines = append(lines, fmt.Sprintf("  control      %s of %d by pid %d, for %s", c.Step, c.Arg, c.PID,
			screen.LongTime(time.Duration(c.ForMS)*time.Millisecond)))
	}
	return lines
}

func (l leaseView) String() string {
	left := time.Duration(l.LeftMS) * time.Millisecond
	switch {
	case l.Endless:
		return fmt.Sprintf("term %d, without end", l.Term)
	case left < 0:
		return fmt.Sprintf("term %d, ENDED %s ago", l.Term, screen.LongTime(-left))
	}
	return fmt.Sprintf("term %d, ends in %s", l.Term, screen.LongTime(left))
}

func (r *reportView) portTable() []string {
	if len(r.Ports) == 0 {
		return []string{"No port is bound."}
	}
	t := screen.Table{Titles: []string{"PORT", "<ROLE", "PID", "SERVED", "ERR", "FLIGHT", "READ", "WRITE",
		"P50", "P99", "<"}}
	for i := range r.Ports {
		p := &r.Ports[i]
		t.Add(append(append([]string{strconv.Itoa(p.Port), p.Role, strconv.Itoa(p.PID),
			screen.ShortCount(p.Requests)}, p.cells()...), p.note())...)
	}
	return t.Lines()
}

// note says what is wrong with a port.
func (p *portView) note() string {
	if p.Alive {
		return ""
	}
	return "DEAD"
}

// cells are those that ports and channels have in common: from errors to p99.
func (c *countersView) cells() []string {
	return []string{screen.ShortCount(c.Errors), screen.ShortCount(c.InFlight), screen.ShortBytes(float64(c.BytesRead)),
		screen.ShortBytes(float64(c.BytesWritten)), screen.CounterTime(c.P50), screen.CounterTime(c.P99)}
}

func (r *reportView) channelTable() []string {
	roles := map[int]string{}
	for i := range r.Ports {
		roles[r.Ports[i].Port] = r.Ports[i].Role
	}
	t := screen.Table{Titles: []string{"ID", "<FROM", "<TO", "SENT", "ERR", "FLIGHT", "MEMORY", "P50", "P99",
		"<"}}
	for i := range r.Channels {
		c := &r.Channels[i]
		t.Add(strconv.Itoa(c.ID), end(c.From, roles), end(c.To, roles), screen.ShortCount(c.Requests),
			screen.ShortCount(c.Errors), fmt.Sprintf("%d/%d", c.InFlight, c.Slots), screen.ShortBytes(float64(c.MemoryBytes)),
			screen.CounterTime(c.P50), screen.CounterTime(c.P99), c.note())
	}
	return t.Lines()
}

// end names one end of a channel.
func end(port int, roles map[int]string) string {
	if role := roles[port]; role != "" {
		return fmt.Sprintf("%d %s", port, role)
	}
	return strconv.Itoa(port)
}

// note says what isn't usual with a channel: its state, and how often it found a successor of its
// server.
func (c *channelView) note() string {
	switch {
	case c.State != "live":
		return strings.ToUpper(c.State)
	case c.Restarts > 0:
		return fmt.Sprintf("again %d", c.Restarts)
	}
	return ""
}
