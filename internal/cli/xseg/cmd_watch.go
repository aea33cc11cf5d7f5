package xseg

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/cli/screen"
	"archipelago/internal/stats"
	"archipelago/xseg"
)

type watchOptions struct {
	count    int
	interval time.Duration
}

func newWatchCommand(app *cli.App) *cobra.Command {
	var opts watchOptions
	cmd := &cobra.Command{
		Use:   "watch [NAME]",
		Short: "Show what the ports of a segment do",
		Long: "Show requests per second, bandwidth, requests in flight and latency of each port, every\n" +
			"second, until Ctrl-C. In a pipe: once.\n\n" +
			"IN/S is what a port receives, OUT/S what it submits. The rest is of the requests that it\n" +
			"receives; of a port that serves nothing, of those that it submits. No peer is asked.",
		Example: "  xseg watch -d /tmp/node",
		Args:    argsThenName(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.interval <= 0 || opts.count < 0 {
				return cli.Usagef("--interval must be more than 0, --count must not be negative")
			}
			return onSegment(app, args, func(s *xseg.Segment) error { return watch(cmd, app, s, &opts) })
		},
	}
	flags := cmd.Flags()
	flags.IntVarP(&opts.count, "count", "n", 0, "number of tables (default no end, in a pipe 1)")
	flags.DurationVarP(&opts.interval, "interval", "i", time.Second, "time between two tables")
	return cmd
}

func watch(cmd *cobra.Command, app *cli.App, s *xseg.Segment, opts *watchOptions) error {
	terminal := cli.IsTerminal(cmd.OutOrStdout())
	if opts.count == 0 && !terminal {
		opts.count = 1
	}
	show := func(v *watchView) error { return app.Print(cmd, v.print) }
	if terminal && !app.JSON {
		live := &screen.Screen{W: cmd.OutOrStdout()}
		live.Open()
		// The last table stays when the screen is given back.
		defer live.Close()
		show = func(v *watchView) error { return live.Show(v.lines()) }
	}
	return eachInterval(cmd.Context(), s, opts, show)
}

// eachInterval shows the rates since the interval before. Ctrl-C is its usual end, and no error.
func eachInterval(ctx context.Context, s *xseg.Segment, opts *watchOptions, show func(*watchView) error) error {
	tick := time.NewTicker(opts.interval)
	defer tick.Stop()
	old := stats.Take(s)
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := stats.Take(s)
		if err := show(viewWatch(old, now)); err != nil || n == opts.count {
			return err
		}
		if now.Info.BackedBytes < 0 {
			return fmt.Errorf("was destroyed: %w", xseg.ErrNoSegment)
		}
		old = now
	}
}

type watchView struct {
	Segment     string           `json:"segment"`
	Seconds     float64          `json:"seconds"` // that the rates are of
	BackedBytes int64            `json:"backed_bytes"`
	Channels    int              `json:"channels"`
	Ports       []stats.PortRate `json:"ports"`
}

func viewWatch(old, now *stats.Sample) *watchView {
	return &watchView{Segment: now.Info.Name, Seconds: now.At.Sub(old.At).Seconds(),
		BackedBytes: now.Info.BackedBytes, Channels: len(now.Channels), Ports: stats.Ports(old, now)}
}

func (v *watchView) print(p *cli.Printer) error {
	if p.JSON() {
		p.Object(v)
		return nil
	}
	for _, line := range v.lines() {
		p.Linef("%s", line)
	}
	return nil
}

func (v *watchView) lines() []string {
	t := screen.Table{Titles: []string{"PORT", "<ROLE", "PID", "IN/S", "OUT/S", "READ/S", "WRITE/S", "FLIGHT",
		"P50", "P99", "<"}}
	for i := range v.Ports {
		r := &v.Ports[i]
		note := ""
		if !r.Alive {
			note = "DEAD"
		}
		t.Add(strconv.Itoa(r.Port), r.Role, strconv.Itoa(r.PID), screen.ShortRate(r.Received), screen.ShortRate(r.Sent),
			screen.ShortBytes(r.Read), screen.ShortBytes(r.Written), screen.ShortCount(r.InFlight), screen.CounterTime(r.P50), screen.CounterTime(r.P99), note)
	}
	return append([]string{v.title(), ""}, t.Lines()...)
}

func (v *watchView) title() string {
	return fmt.Sprintf("%s: %d ports, %d channels, %s of memory", v.Segment, len(v.Ports), v.Channels,
		cli.FormatSize(max(v.BackedBytes, 0)))
}
