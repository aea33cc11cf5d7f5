package xseg

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/xseg"
)

type createOptions struct {
	runtimeDir, group string
	replace           bool
}

func newCreateCommand(app *cli.App) *cobra.Command {
	var opts createOptions
	cmd := &cobra.Command{
		Use:   "create [SPEC]",
		Short: "Create a segment",
		Long: "Create the segment that SPEC describes: posix:NAME:PORTS:MIB:12. Memory is taken as it\n" +
			"is used; PORTS and MIB are limits. Without SPEC it is that of the node of -d or -c.\n\n" +
			"With --replace a segment of that name goes first, unless a port is bound in it (12).",
		Example: "  xseg create posix:test:64:256:12",
		Args:    optionalSpec,
		RunE:    func(cmd *cobra.Command, args []string) error { return create(cmd, app, args, &opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.runtimeDir, "runtime-dir", "", "directory of the ports' sockets, made if missing "+
		"(default NAME below XDG_RUNTIME_DIR, /run/archipelago or /tmp)")
	flags.StringVar(&opts.group, "group", "", "group that may join, by name or number (default none)")
	flags.BoolVar(&opts.replace, "replace", false, "instead of one that nobody uses")
	return cmd
}

// optionalSpec checks that there is one argument or none.
func optionalSpec(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return cli.Usagef("%s takes [SPEC]; %d arguments were given", cmd.CommandPath(), len(args))
	}
	return nil
}

// specOf returns the segment that is meant, and the directory of its sockets.
func specOf(app *cli.App, args []string) (xseg.Spec, string, error) {
	if len(args) == 1 {
		spec, err := xseg.ParseSpec(args[0])
		return spec, defaultRuntimeDir(spec.Name), err
	}
	cfg, err := app.Config()
	if err != nil {
		return xseg.Spec{}, "", err
	}
	return xseg.Spec{Name: cfg.SegmentName, Ports: cfg.SegmentPorts, SizeMiB: cfg.SegmentSize,
		PageShift: cfg.SegmentAlignment}, cfg.RuntimeDir, nil
}

func create(cmd *cobra.Command, app *cli.App, args []string, opts *createOptions) error {
	spec, dir, err := specOf(app, args)
	if err != nil {
		return err
	}
	group, err := groupID(opts.group)
	if err != nil {
		return err
	}
	if opts.runtimeDir != "" {
		dir = opts.runtimeDir
	}
	if opts.replace {
		if err := xseg.Destroy(spec.Name, false); err != nil && !errors.Is(err, xseg.ErrNoSegment) {
			return err
		}
	}
	err = xseg.Create(spec, xseg.CreateOptions{RuntimeDir: dir, Group: group})
	switch {
	case errors.Is(err, xseg.ErrExists):
		return &cli.CodeError{Code: cli.ExitExists, Err: err}
	case errors.Is(err, xseg.ErrLimit): // of the runtime directory's name: no use to try again
		return &cli.UsageError{Err: err}
	case err != nil || !app.JSON:
		return err
	}
	return onSegment(app, []string{spec.Name}, func(s *xseg.Segment) error {
		return app.Print(cmd, func(p *cli.Printer) error {
			p.Object(viewSegment(s.Info()))
			return nil
		})
	})
}

// defaultRuntimeDir lies where that of a node in a directory would.
func defaultRuntimeDir(name string) string {
	base := os.Getenv("XDG_RUNTIME_DIR")
	switch {
	case filepath.IsAbs(base):
	case os.Geteuid() == 0:
		base = "/run/archipelago"
	default:
		base = "/tmp"
	}
	return filepath.Join(base, name)
}

// groupID looks a group up; -1 for none.
func groupID(group string) (int, error) {
	if group == "" {
		return -1, nil
	}
	if id, err := strconv.ParseUint(group, 10, 31); err == nil {
		return int(id), nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return 0, &cli.UsageError{Err: fmt.Errorf("--group: %w", err)}
	}
	return strconv.Atoi(g.Gid)
}
