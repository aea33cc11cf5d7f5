package archipelago

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/internal/node"
)

// restartInRun restarts a role ("" = all) of a node that `archipelago run` runs in the foreground.
// It returns when the role is ready again. node.ErrNoSupervisor, before anything was done, if no
// such process runs the node.
func restartInRun(cmd *cobra.Command, app *cli.App, cfg *config.Config, role string, limit time.Duration) error {
	ctl, err := node.DialControl(cfg)
	if err != nil {
		return err
	}
	defer ctl.Close()
	if role != "" {
		if err := cli.CheckRole(cfg, role, ""); err != nil {
			return err
		}
	}
	ctx := cmd.Context()
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	var printed error
	ctl.Progress = func(s node.RestartStep) {
		if s.Done && printed == nil {
			printed = printRestarted(cmd, app, s)
		}
	}
	return errors.Join(ctl.Restart(ctx, role), printed)
}

// printRestarted prints each role when it is ready, not all at the end.
func printRestarted(cmd *cobra.Command, app *cli.App, s node.RestartStep) error {
	return app.Print(cmd, func(p *cli.Printer) error {
		if p.JSON() {
			p.Object(restarted{s.Role, s.Took.Milliseconds()})
		} else {
			p.Linef("%s: restarted in %v", s.Role, s.Took.Round(time.Millisecond))
		}
		return nil
	})
}

// restarted is what `restart --json` prints for each role.
type restarted struct {
	Role   string `json:"role"`
	Millis int64  `json:"took_ms"`
}
