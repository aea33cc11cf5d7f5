package xseg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/xseg"
)

type pingOptions struct {
	count             uint64
	interval, timeout time.Duration
	named             bool // the segment was given by name
}

func newPingCommand(app *cli.App) *cobra.Command {
	var opts pingOptions
	cmd := &cobra.Command{
		Use:   "ping PORT [NAME]",
		Short: "Measure round trips to a port",
		Long: "Send PINGs to PORT, one at a time, and print how long they took. Every peer answers them in\n" +
			"its loop. Ends by itself, or on Ctrl-C with what was measured so far.\n\n" +
			"Without --interval one follows the other at once: that is the hot path. With one longer than\n" +
			"a millisecond both sides sleep in between, and waking them is part of the time.",
		Example: "  xseg ping 1001 -d /tmp/node",
		Args:    argsThenName("PORT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			no, err := strconv.ParseUint(args[0], 10, 32)
			switch {
			case err != nil:
				return cli.Usagef("%q is not the number of a port", args[0])
			case opts.interval < 0 || opts.timeout <= 0:
				return cli.Usagef("--interval must not be negative, --timeout must be more than 0")
			}
			opts.named = len(args) > 1
			return onSegment(app, args[1:], func(s *xseg.Segment) error {
				return ping(cmd, app, s, xseg.PortNo(no), &opts)
			})
		},
	}
	flags := cmd.Flags()
	flags.Uint64VarP(&opts.count, "count", "n", 1000, "number of PINGs; 0 = until Ctrl-C")
	flags.DurationVarP(&opts.interval, "interval", "i", 0, "pause between an answer and the next PING")
	flags.DurationVarP(&opts.timeout, "timeout", "W", 5*time.Second, "give up when an answer takes longer")
	return cmd
}

func ping(cmd *cobra.Command, app *cli.App, s *xseg.Segment, no xseg.PortNo, opts *pingOptions) error {
	if ports := s.Info().Ports; int(no) >= ports {
		return cli.Usagef("there is no port %d, only 0 to %d", no, ports-1)
	}
	target, err := serverOf(s, no)
	if err != nil {
		return err
	}
	from, to := toolPorts(app, opts.named, s)
	p, err := measure(cmd.Context(), s, from, to, target.No, opts)
	if p == nil {
		return err
	}
	v := viewPing(s.Name(), target, p)
	printErr := app.Print(cmd, func(out *cli.Printer) error {
		if out.JSON() {
			out.Object(v)
			return nil
		}
		for _, line := range v.lines() {
			out.Linef("%s", line)
		}
		return nil
	})
	if err == nil && p.failed > 0 {
		err = fmt.Errorf("port %d answered %d of %d PINGs with an error: %w", no, p.failed, p.took.n, p.errno)
	}
	return errors.Join(err, printErr)
}

// serverOf finds out who holds a port, and that it serves: a connect would wait for a server that
// may be about to.
func serverOf(s *xseg.Segment, no xseg.PortNo) (*xseg.PortInfo, error) {
	for _, p := range s.Ports() {
		if p.No != no {
			continue
		}
		if !p.Alive {
			return nil, fmt.Errorf("port %d: its holder, pid %d, role %s, is dead: %w", no, p.PID, p.Role,
				xseg.ErrNotRunning)
		}
		if _, err := os.Lstat(filepath.Join(s.RuntimeDir(), fmt.Sprintf("%d.sock", no))); err != nil {
			return nil, fmt.Errorf("port %d is held by pid %d, role %s, which serves no requests: %w", no,
				p.PID, p.Role, xseg.ErrNotRunning)
		}
		return &p, nil
	}
	return nil, fmt.Errorf("port %d is bound by nobody: %w", no, xseg.ErrNotRunning)
}

// Ports of tools where no configuration says others.
const (
	firstToolPort = 1003
	lastToolPort  = 1022
)

// toolPorts returns the range of ports that are ours to take; in a segment too small for the usual
// ones, the last.
func toolPorts(app *cli.App, named bool, s *xseg.Segment) (from, to xseg.PortNo) {
	from, to = firstToolPort, lastToolPort
	if !named {
		if cfg, err := app.Config(); err == nil {
			from, to = xseg.PortNo(cfg.VtoolStart), xseg.PortNo(cfg.VtoolEnd)
		}
	}
	if last := xseg.PortNo(s.Info().Ports - 1); to > last {
		from, to = max(last, lastToolPort-firstToolPort)-(lastToolPort-firstToolPort), last
	}
	return from, to
}
