package archipelago

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/internal/node"
	"archipelago/internal/systemd"
)

// controlOptions are those that start, stop and restart have in common.
type controlOptions struct {
	user  bool
	force bool
	limit time.Duration
}

func (o *controlOptions) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&o.user, "user", "u", false, "the peers only: leave segment and kernel modules alone")
	cmd.Flags().DurationVar(&o.limit, "timeout", defaultStepLimit, "how long each step may take")
}

func (o *controlOptions) check() error {
	if o.limit <= 0 {
		return cli.Usagef("--timeout must be more than 0")
	}
	return nil
}

// controlArgs checks that there is one role at most.
func controlArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return cli.Usagef("%s takes one ROLE at most; %d arguments were given", cmd.CommandPath(), len(args))
	}
	return nil
}

// controlled reads the configuration, and checks the role in args, if there is one.
func controlled(app *cli.App, args []string) (*config.Config, string, error) {
	cfg, err := app.Config()
	if err != nil || len(args) == 0 {
		return cfg, "", err
	}
	return cfg, args[0], cli.CheckRole(cfg, args[0], "")
}

func newStartCommand(app *cli.App) *cobra.Command {
	var opts controlOptions
	cmd := &cobra.Command{
		Use:   "start [ROLE]",
		Short: "Start the node, or one role of it, through systemd",
		Long: "Start kernel modules, the segment and all roles in their order, each when the one before is\n" +
			"ready; with ROLE only that one. If something doesn't start, what was started is stopped again,\n" +
			"and the cause is told. A node that is half up is refused (12); one that is up is no error.\n\n" +
			"`systemctl enable archipelago.target` starts the node at each boot.",
		Example: "  archipelago start\n  archipelago start vlmcd",
		Args:    controlArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, role, err := controlled(app, args)
			if err = errors.Join(err, opts.check()); err != nil {
				return err
			}
			return start(cmd, app, cfg, role, &opts)
		},
	}
	opts.flags(cmd)
	return cmd
}

func start(cmd *cobra.Command, app *cli.App, cfg *config.Config, role string, opts *controlOptions) (err error) {
	if pid, err := foreground(cfg); err != nil || pid != 0 {
		return errors.Join(err, inForeground(pid))
	}
	u, err := openUnits(cmd, app, cfg, opts.limit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.close()) }()
	if role != "" {
		return u.startRole(cmd.Context(), role)
	}
	return u.startNode(cmd, opts)
}

// foreground returns the pid of the supervisor that runs the node in the foreground; 0 = none does.
func foreground(cfg *config.Config) (int, error) {
	rep, err := node.Status(cfg)
	if err != nil {
		return 0, wayOut(err)
	}
	return rep.Supervisor, nil
}

// inForeground refuses what systemd can't do as long as a supervisor runs the node.
func inForeground(pid int) error {
	if pid == 0 {
		return nil
	}
	return &cli.CodeError{Code: cli.ExitBusy,
		Err: fmt.Errorf("the node runs already, in the foreground: archipelago run, process %d", pid)}
}

// startRole starts one role of a node whose segment is there.
func (u *units) startRole(ctx context.Context, role string) error {
	if err := u.needSegment(ctx); err != nil {
		return err
	}
	if err := u.m.ResetFailed(ctx, systemd.Peer(role)); err != nil {
		return wayOut(err)
	}
	return u.start(ctx, role, systemd.Peer(role))
}

func (u *units) needSegment(ctx context.Context) error {
	segment, err := u.m.Unit(ctx, systemd.Segment)
	if err != nil {
		return wayOut(err)
	}
	if !segment.Active() {
		return &cli.CodeError{Code: cli.ExitNotRunning,
			Err: errors.New("the node has no segment: `archipelago start` starts all of it")}
	}
	return nil
}

// startNode starts everything, or nothing.
func (u *units) startNode(cmd *cobra.Command, opts *controlOptions) error {
	ctx := cmd.Context()
	peers, err := u.peers(ctx)
	if err != nil {
		return err
	}
	up, down := u.split(peers)
	switch {
	case len(down) == 0:
		fmt.Fprintln(cmd.ErrOrStderr(), "the node runs already")
		return nil
	case len(up) > 0:
		return &cli.CodeError{Code: cli.ExitBusy, Err: fmt.Errorf("the node is half up: %s up, %s down\n"+
			"`archipelago restart` brings all up, `archipelago start ROLE` one, `archipelago stop` all down",
			list(up), list(down))}
	}
	if opts.user {
		if err := u.needSegment(ctx); err != nil {
			return err
		}
	}
	if err := u.prepare(ctx, peers); err != nil {
		return err
	}
	started, err := u.startAll(ctx, opts.user)
	if err != nil {
		return errors.Join(err, u.undo(ctx, started))
	}
	return nil
}

// prepare makes units startable: without a failure of the past, and in the order of the configuration.
func (u *units) prepare(ctx context.Context, peers []*systemd.Unit) error {
	names := make([]string, len(peers))
	for i, p := range peers {
		names[i] = u.cfg.Roles[i].Name
		if p.ActiveState != "failed" {
			continue
		}
		if err := u.m.ResetFailed(ctx, p.Name); err != nil {
			return wayOut(err)
		}
	}
	role := systemd.Misordered(names, peers)
	if role == "" {
		return nil
	}
	// The roles were changed: the generator must run again, or systemd stops them in a wrong order
	// when the machine goes down.
	if err := u.m.Reload(ctx); err != nil {
		return fmt.Errorf("systemd doesn't know the order of role %s yet: run `sudo systemctl daemon-reload`: %w", role, err)
	}
	return nil
}

// part is a unit of the node, and its name for people.
type part struct{ name, unit string }

// startAll starts all parts in order. It returns those that it touched, also if it fails.
func (u *units) startAll(ctx context.Context, user bool) (touched []part, err error) {
	var parts []part
	if !user {
		parts = append(parts, part{"modules", systemd.Modules}, part{"segment", systemd.Segment})
	}
	for _, r := range u.cfg.Roles {
		parts = append(parts, part{r.Name, systemd.Peer(r.Name)})
	}
	for _, p := range parts {
		touched = append(touched, p)
		if err := u.start(ctx, p.name, p.unit); err != nil {
			return touched, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, u.limit)
	defer cancel()
	return touched, wayOut(u.m.Start(ctx, systemd.Target))
}

// undo stops what was started in vain, so that the next start finds a clean node. It does so also
// when the command was interrupted, within its own time.
func (u *units) undo(ctx context.Context, touched []part) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for i := len(touched) - 1; i >= 0; i-- {
		if p := touched[i]; p.unit != systemd.Modules {
			errs = append(errs, u.stop(ctx, p.name, p.unit))
		}
	}
	return errors.Join(errs...)
}
