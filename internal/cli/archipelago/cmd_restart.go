package archipelago

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/internal/node"
	"archipelago/internal/systemd"
)

func newRestartCommand(app *cli.App) *cobra.Command {
	var opts controlOptions
	cmd := &cobra.Command{
		Use:   "restart [ROLE]",
		Short: "Restart a role, or all roles one by one, while clients are served",
		Long: "Stop a role in order, start it again and wait until it is ready; without ROLE, do so with\n" +
			"all roles, one after the other. Volumes stay open and keep their locks: whoever uses them sees\n" +
			"a pause. A role that is down is started. The segment stays: another SEGMENT_SIZE needs stop and\n" +
			"start.",
		Example: "  archipelago restart\n  archipelago restart vlmcd",
		Args:    controlArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, role, err := controlled(app, args)
			if err = errors.Join(err, opts.check()); err != nil {
				return err
			}
			limit := opts.limit
			if role == "" {
				limit *= time.Duration(len(cfg.Roles)) // one role after the other
			}
			err = restartInRun(cmd, app, cfg, role, limit)
			// Only the node of the system is systemd's as well.
			if !errors.Is(err, node.ErrNoSupervisor) || cfg.Path != unitConfig {
				return err
			}
			return restart(cmd, app, cfg, role, &opts)
		},
	}
	opts.flags(cmd)
	return cmd
}

func restart(cmd *cobra.Command, app *cli.App, cfg *config.Config, role string, opts *controlOptions) (err error) {
	u, err := openUnits(cmd, app, cfg, opts.limit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.close()) }()
	ctx := cmd.Context()
	if err := u.needSegment(ctx); err != nil {
		if role == "" && !opts.user && cli.ExitCode(err) == cli.ExitNotRunning {
			return u.startNode(cmd, opts) // all of it is down
		}
		return err
	}
	if role != "" {
		return u.restartRole(ctx, role)
	}
	for _, r := range cfg.Roles {
		// The first that doesn't come up ends it: what is wrong with it may be wrong with the rest.
		if err := u.restartRole(ctx, r.Name); err != nil {
			return err
		}
	}
	return nil
}

func (u *units) restartRole(ctx context.Context, role string) error {
	if err := u.m.ResetFailed(ctx, systemd.Peer(role)); err != nil {
		return wayOut(err)
	}
	return u.restart(ctx, role, systemd.Peer(role))
}
