package vlmc

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
	"archipelago/xseg"
)

// traceOptions are the flags of trace.
type traceOptions struct {
	limit, slow time.Duration
}

func newTraceCommand(app *cli.App) *cobra.Command {
	var o traceOptions
	cmd := &cobra.Command{
		Use:   "trace NAME",
		Short: "Show the requests of a volume and where their time goes",
		Long: "Print a line for each request of the volume NAME that ends from now on, until interrupted or\n" +
			"for the time of --for: when it ended, operation, offset and length in bytes, latency, the parts\n" +
			"of its life that took a microsecond or more, and its result.\n\n" +
			"The parts: queue (not looked at yet), engine (work of vlmcd), data (read or written by the\n" +
			"blocker), copy (of what lies below), map (looked up), lock (another request changes the same\n" +
			"place), reserve and commit (of a first write), flush, wait (the volume is frozen or opening, or\n" +
			"another node has its lock). Requests that came faster than they could be fetched are counted\n" +
			"on standard error.",
		Example: "  vlmc trace web --for 10s\n  vlmc trace web --slow 10ms --json",
		Args:    cli.Args("NAME"),
		RunE:    func(cmd *cobra.Command, args []string) error { return trace(cmd, app, args[0], o) },
	}
	cmd.Flags().DurationVar(&o.limit, "for", 0, "how long; 0: until interrupted")
	cmd.Flags().DurationVar(&o.slow, "slow", 0, "only requests that took at least this long")
	return cmd
}

func trace(cmd *cobra.Command, app *cli.App, name string, o traceOptions) error {
	if o.limit < 0 || o.slow < 0 {
		return cli.Usagef("--for and --slow can't be negative")
	}
	return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
		if o.limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, o.limit)
			defer cancel()
		}
		return c.Trace(ctx, name, func(t volume.Traced) error {
			if t.Anew {
				fmt.Fprintln(cmd.ErrOrStderr(), "vlmcd was restarted: some requests are missing")
			}
			if t.Lost > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d requests are missing: they came too fast\n", t.Lost)
			}
			return app.Print(cmd, func(p *cli.Printer) error {
				for i := range t.Records {
					printTraced(p, &t.Records[i], o.slow)
				}
				return nil
			})
		})
	})
}

// tracedView is a line of `trace --json`. Times are in microseconds.
type tracedView struct {
	Time    time.Time          `json:"time"`
	Op      string             `json:"op"`
	FUA     bool               `json:"fua"`
	Offset  int64              `json:"offset"`
	Length  int64              `json:"length"`
	Latency float64            `json:"latency_us"`
	Spent   map[string]float64 `json:"spent_us"`
	Error   string             `json:"error,omitempty"`
}

func printTraced(p *cli.Printer, r *volume.TraceRecord, slow time.Duration) {
	if r.Latency < slow {
		return
	}
	v := tracedView{Time: r.End, Op: r.OpName(), FUA: r.Flags&xseg.ReqFUA != 0, Offset: r.Offset, Length: r.Length,
		Latency: micros(r.Latency), Spent: map[string]float64{}}
	var parts []string
	for i, d := range r.Spent {
		if d >= time.Microsecond {
			name := volume.Phase(i).String()
			v.Spent[name] = micros(d)
			parts = append(parts, fmt.Sprintf("%s %v", name, d.Round(time.Microsecond)))
		}
	}
	result := "ok"
	if r.Errno != 0 {
		v.Error = r.Errno.Error()
		result = v.Error
	}
	if p.JSON() {
		p.Object(v)
		return
	}
	op := v.Op
	if v.FUA {
		op += "+fua"
	}
	p.Linef("%s %-12s %14d %8d %10v  %s: %s", r.End.Format("15:04:05.000000"), op, r.Offset, r.Length,
		r.Latency.Round(time.Microsecond), strings.Join(parts, ", "), result)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
