package archipelago

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/internal/device"
	"archipelago/internal/systemd"
)

func newStopCommand(app *cli.App) *cobra.Command {
	var opts controlOptions
	cmd := &cobra.Command{
		Use:   "stop [ROLE]",
		Short: "Stop the node, or one role of it",
		Long: "Close all volumes, which gives their locks back, and stop all roles in reverse order, then the\n" +
			"segment; with ROLE stop that one alone, and close nothing. Refused (12) while volumes are\n" +
			"mapped, and if a volume can't be closed.\n\n" +
			"With -f it stops all the same. What wasn't flushed then is lost only if the machine goes down\n" +
			"before the next start.",
		Example: "  archipelago stop\n  archipelago -u stop",
		Args:    controlArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, role, err := controlled(app, args)
			if err = errors.Join(err, opts.check()); err != nil {
				return err
			}
			return stop(cmd, app, cfg, role, &opts)
		},
	}
	opts.flags(cmd)
	cmd.Flags().BoolVarP(&opts.force, "force", "f", false, "also while volumes are mapped")
	return cmd
}

func stop(cmd *cobra.Command, app *cli.App, cfg *config.Config, role string, opts *controlOptions) (err error) {
	pid, err := foreground(cfg)
	if err != nil {
		return err
	}
	if pid != 0 && role != "" {
		return cli.Usagef("the node runs in the foreground (archipelago run, process %d), which restarts a role "+
			"that ends: `archipelago restart %s`, or stop the whole node", pid, role)
	}
	if err := checkMapped(cfg, opts.force); err != nil {
		return err
	}
	if pid != 0 {
		return stopForeground(cmd.Context(), newRows(cmd, app), cfg, pid, opts.limit)
	}
	u, err := openUnits(cmd, app, cfg, opts.limit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.close()) }()
	if role != "" {
		return u.stop(cmd.Context(), role, systemd.Peer(role))
	}
	return u.stopNode(cmd.Context(), opts)
}

// checkMapped refuses to take volumes away from under devices.
func checkMapped(cfg *config.Config, force bool) error {
	if force {
		return nil
	}
	mapped, err := device.List(cfg)
	if err != nil {
		return wayOut(err)
	}
	if len(mapped) == 0 {
		return nil
	}
	var names []string
	for _, m := range mapped {
		names = append(names, fmt.Sprintf("%s (%s)", m.Name, m.Device))
	}
	return &cli.CodeError{Code: cli.ExitBusy, Err: fmt.Errorf("volumes are mapped: %s\n"+
		"`vlmc unmap` them first; `archipelago stop -f` takes them away from whoever uses them",
		strings.Join(names, ", "))}
}

// isEndpoint says whether a role serves volumes to the outside.
func isEndpoint(typ string) bool { return typ == config.TypeNBD || typ == config.TypeFuse }

// stopNode stops the roles in reverse order, and the rest. A role that doesn't stop is no reason to
// leave the others up; but the segment stays then, because it is in use.
func (u *units) stopNode(ctx context.Context, opts *controlOptions) error {
	unclosable, err := u.unclosable(ctx)
	if err != nil || unclosable != nil && !opts.force {
		return errors.Join(err, unclosable)
	}
	errs := []error{unclosable}
	closed := unclosable != nil
	for i := len(u.cfg.Roles) - 1; i >= 0; i-- {
		r := &u.cfg.Roles[i]
		// Endpoints go first: a client that goes on writing would open its volume again.
		if !closed && !isEndpoint(r.Type) {
			closed = true
			err := u.closeVolumes(ctx)
			if err != nil && !opts.force {
				return err
			}
			errs = append(errs, err)
		}
		errs = append(errs, u.stop(ctx, r.Name, systemd.Peer(r.Name)))
		if ctx.Err() != nil {
			return errors.Join(errs...)
		}
	}
	return errors.Join(append(errs, u.stopRest(ctx, opts.user))...)
}

// unclosable says why volumes can't be closed, before anything is stopped: to wait for a peer that is
// down would only take time.
func (u *units) unclosable(ctx context.Context) (why, err error) {
	peers, err := u.peers(ctx)
	if err != nil {
		return nil, err
	}
	locked, err := lockedVolumes(u.cfg)
	if err != nil || len(locked) == 0 {
		return nil, wayOut(err)
	}
	for i, p := range peers {
		if r := &u.cfg.Roles[i]; !isEndpoint(r.Type) && p.Down() {
			return &cli.CodeError{Code: cli.ExitNotRunning, Err: fmt.Errorf("%d volumes can't be closed, because "+
				"role %s is down: their locks stay with this node\n`archipelago start %s` first; `archipelago stop -f` "+
				"stops all the same", len(locked), r.Name, r.Name)}, nil
		}
	}
	return nil, nil
}

// stopRest stops what isn't a peer.
func (u *units) stopRest(ctx context.Context, user bool) error {
	peers, err := u.peers(ctx)
	if err != nil {
		return err
	}
	if up, _ := u.split(peers); len(up) > 0 {
		return &cli.CodeError{Code: cli.ExitPartly, Err: fmt.Errorf("not stopped: %s", list(up))}
	}
	limited, cancel := context.WithTimeout(ctx, u.limit)
	defer cancel()
	if err := u.m.Stop(limited, systemd.Target); err != nil {
		return wayOut(err)
	}
	if user {
		return nil
	}
	// Modules stay in the kernel, where others may use them.
	return errors.Join(u.stop(ctx, "segment", systemd.Segment), u.stop(ctx, "modules", systemd.Modules))
}
