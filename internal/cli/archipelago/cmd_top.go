package archipelago

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/cli/screen"
	"archipelago/internal/cli/top"
	"archipelago/internal/stats"
	"archipelago/xseg"
)

type topOptions struct {
	once, batch bool
	count       int
	order       string
	view        *top.View
}

func newTopCommand(app *cli.App) *cobra.Command {
	opts := topOptions{view: top.New()}
	var noPeers bool
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show what volumes and peers do, live",
		Long: "Show IOPS, bandwidth, latency and depth of each volume that is in use and of each peer,\n" +
			"every second, until q or Ctrl-C; ? shows the keys. In a pipe: once.\n\n" +
			"All of it comes from counters in the segment: no peer is asked. If the node is restarted,\n" +
			"top goes on.",
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.view.Peers = !noPeers
			if err := opts.check(); err != nil {
				return err
			}
			return runTop(cmd, app, &opts)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.once, "once", false, "print one table and end")
	flags.BoolVarP(&opts.batch, "batch", "b", false, "print table after table, without a screen")
	flags.IntVarP(&opts.count, "count", "n", 0, "number of tables (default no end, in a pipe 1)")
	flags.DurationVarP(&opts.view.Interval, "interval", "i", time.Second, "time between two tables")
	flags.StringVarP(&opts.order, "sort", "s", string(top.ByIOPS), "order of the volumes: "+top.OrderNames())
	flags.StringVarP(&opts.view.Filter, "filter", "f", "", "only volumes with this text in their names")
	flags.BoolVar(&noPeers, "no-peers", false, "volumes alone")
	return cmd
}

func (o *topOptions) check() error {
	if o.view.Interval < 10*time.Millisecond || o.count < 0 {
		return cli.Usagef("--interval must be at least 10ms, --count must not be negative")
	}
	o.view.Order = top.Order(o.order)
	for _, x := range top.Orders {
		if x.Order == o.view.Order {
			return nil
		}
	}
	return cli.Usagef("--sort %s: want one of %s", o.order, top.OrderNames())
}

func runTop(cmd *cobra.Command, app *cli.App, opts *topOptions) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	w := stats.Watch(cfg.SegmentName)
	defer w.Close()
	// A node that isn't there at the start is an error; one that goes later may come back.
	if _, _, err := w.Step(); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	live := cli.IsTerminal(out) && !app.JSON && !opts.once && !opts.batch
	switch {
	case opts.once || opts.count == 0 && !opts.batch && !live && !app.JSON:
		opts.count = 1
	case opts.count == 0 && app.JSON && !opts.batch && !cli.IsTerminal(out):
		opts.count = 1
	}
	if live {
		return liveTop(cmd.Context(), cmd.InOrStdin(), out, w, opts)
	}
	return batchTop(cmd, app, w, opts)
}

// batchTop prints a table per interval. Ctrl-C is the usual end of many, and no error.
func batchTop(cmd *cobra.Command, app *cli.App, w *stats.Watcher, opts *topOptions) error {
	tick := time.NewTicker(opts.view.Interval)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-cmd.Context().Done():
			return nil
		case <-tick.C:
		}
		if err := update(w, opts.view); err != nil {
			return err
		}
		if err := app.Print(cmd, func(p *cli.Printer) error { printTop(p, opts.view, n); return nil }); err != nil {
			return err
		}
		if n == opts.count {
			return nil
		}
	}
}

func printTop(p *cli.Printer, v *top.View, n int) {
	if p.JSON() {
		p.Object(v.Report())
		return
	}
	if n > 1 {
		p.Linef("")
	}
	for _, line := range v.Lines(batchWidth, 0) {
		p.Linef("%s", line)
	}
}

// batchWidth is that of a terminal that doesn't tell its own.
const batchWidth = 80

// update takes the next sample. A node that is gone is told on the view, and no error.
func update(w *stats.Watcher, v *top.View) error {
	before, now, err := w.Step()
	switch {
	case err == nil:
		v.Update(before, now)
	case errors.Is(err, xseg.ErrNoSegment):
		v.Fail(fmt.Errorf("the node is not running; waiting for it"))
	default:
		return err
	}
	return nil
}

// liveTop shows tables on a terminal until a key, Ctrl-C or the last of opts.count ends it.
func liveTop(ctx context.Context, in io.Reader, out io.Writer, w *stats.Watcher, opts *topOptions) error {
	v := opts.view
	restore, err := screen.Keys(in)
	if err != nil {
		return fmt.Errorf("set the terminal up: %w", err)
	}
	defer restore()
	s := &screen.Screen{W: out}
	s.Open()
	defer s.Close()
	keys := make(chan byte)
	go screen.ReadKeys(in, keys)
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	tick := time.NewTicker(v.Interval)
	defer tick.Stop()
	for n := 0; opts.count == 0 || n < opts.count; {
		select {
		case <-ctx.Done():
			return nil
		case c, ok := <-keys:
			if !ok {
				keys = nil // the terminal's input ended: go on without
			} else if v.Key(c) {
				return nil
			}
		case <-resized:
		case <-tick.C:
			n++
			if err := update(w, v); err != nil {
				return err
			}
		}
		if err := s.Show(slices.Clone(v.Lines(screen.Size(out)))); err != nil {
			return err
		}
	}
	return nil
}
