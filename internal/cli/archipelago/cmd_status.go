package archipelago

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/cli/screen"
	"archipelago/internal/config"
	"archipelago/internal/node"
)

const (
	// rateTime is how long requests are counted for one look.
	rateTime = 250 * time.Millisecond
	// defaultWatch is the time between two looks of --watch.
	defaultWatch = "2"
	maxWatch     = 24 * time.Hour
)

func newStatusCommand(app *cli.App) *cobra.Command {
	var watch string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of a node and its roles",
		Long: "Show what is mapped, kernel modules, segment, each role with its process, its restarts since\n" +
			"the start, its own memory and its requests a second, room of the storage and locks. No peer is\n" +
			"asked. Fails (13) if something is down.\n\n" +
			"--watch shows it again and again until Ctrl-C; the exit status is that of the last look.",
		RunE: func(cmd *cobra.Command, args []string) error {
			every, err := watchTime(cmd, watch, args)
			if err != nil {
				return err
			}
			cfg, err := app.Config()
			if err != nil {
				return err
			}
			if every > 0 {
				return watchStatus(cmd, app, cfg, every)
			}
			return status(cmd, app, cfg)
		},
	}
	cmd.Flags().StringVar(&watch, "watch", "", "show it again every so many seconds")
	cmd.Flags().Lookup("watch").NoOptDefVal = defaultWatch
	return cmd
}

// watchTime returns the time between two looks; 0 = look once. A number behind a plain --watch
// belongs to it.
func watchTime(cmd *cobra.Command, watch string, args []string) (time.Duration, error) {
	if watch == defaultWatch && len(args) == 1 {
		watch, args = args[0], nil
	}
	if err := cli.Args()(cmd, args); err != nil || watch == "" {
		return 0, err
	}
	seconds, err := strconv.ParseFloat(watch, 64)
	every := time.Duration(seconds * float64(time.Second))
	if err != nil || every < rateTime || every > maxWatch {
		return 0, cli.Usagef("--watch %s: a number of seconds is needed, at least %g", watch, rateTime.Seconds())
	}
	return every, nil
}

// status looks once.
func status(cmd *cobra.Command, app *cli.App, cfg *config.Config) error {
	v, err := lookTwice(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	err = app.Print(cmd, func(p *cli.Printer) error {
		v.print(p, painter(cli.IsTerminal(cmd.OutOrStdout())))
		return nil
	})
	return errors.Join(err, v.down())
}

// lookTwice looks, and where there is something to count counts for a moment.
func lookTwice(ctx context.Context, cfg *config.Config) (*statusView, error) {
	before, begin := &statusView{}, time.Now()
	rep, err := node.Status(cfg)
	if err != nil {
		return nil, wayOut(err)
	}
	for _, r := range rep.Roles {
		before.Peers = append(before.Peers, roleStatus{RoleReport: r})
	}
	if rep.Joined {
		select {
		case <-time.After(rateTime):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	v, err := look(ctx, cfg)
	if err == nil && rep.Joined {
		v.rates(before, time.Since(begin))
	}
	return v, err
}

func (v *statusView) print(p *cli.Printer, colour painter) {
	if p.JSON() {
		p.Object(v)
		return
	}
	for _, line := range v.lines(colour) {
		p.Linef("%s", line)
	}
}

// down says what should run and doesn't.
func (v *statusView) down() error {
	if v.Running {
		return nil
	}
	var down []string
	for _, r := range v.Peers {
		if r.State != node.StateRunning {
			down = append(down, r.Role)
		}
	}
	text := "not running: " + strings.Join(down, ", ")
	if !v.Joined || len(down) == len(v.Peers) {
		text = "the node is not running"
	}
	return &cli.CodeError{Code: cli.ExitNotRunning, Err: errors.New(text)}
}

// watchStatus looks again and again. Ctrl-C is its usual end.
func watchStatus(cmd *cobra.Command, app *cli.App, cfg *config.Config, every time.Duration) error {
	show := func(v *statusView) error {
		return app.Print(cmd, func(p *cli.Printer) error {
			v.print(p, false)
			return nil
		})
	}
	if cli.IsTerminal(cmd.OutOrStdout()) && !app.JSON {
		live := &screen.Screen{W: cmd.OutOrStdout()}
		live.Open()
		// The last look stays when the screen is given back.
		defer live.Close()
		show = func(v *statusView) error { return live.Show(v.lines(true)) }
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	last, at, err := (*statusView)(nil), time.Now(), error(nil)
	for {
		var now *statusView
		if last == nil {
			now, err = lookTwice(cmd.Context(), cfg)
			tick.Reset(every) // its own time to count is over
		} else if now, err = look(cmd.Context(), cfg); err == nil {
			now.rates(last, time.Since(at))
		}
		if err != nil {
			return unlessInterrupted(cmd.Context(), err)
		}
		last, at = now, time.Now()
		if err := show(now); err != nil {
			return err
		}
		select {
		case <-cmd.Context().Done():
			return now.down()
		case <-tick.C:
		}
	}
}

func unlessInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("look at the node: %w", err)
}
