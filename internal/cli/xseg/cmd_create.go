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

type createOptions struct{ runtimeDir, group string }

func newCreateCommand(app *cli.App) *cobra.Command {
	var opts createOptions
	cmd := &cobra.Command{
		Use:   "create SPEC",
		Short: "Create a segment",
		Long: "Create the segment that SPEC describes: posix:NAME:PORTS:MIB:12. Memory is taken as it\n" +
			"is used; PORTS and MIB are limits.",
		Args: cli.Args("SPEC"),
		RunE: func(cmd *cobra.Command, args []string) error { return create(cmd, app, args[0], &opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.runtimeDir, "runtime-dir", "", "directory of the ports' sockets, made if missing "+
		"(default NAME below XDG_RUNTIME_DIR, /run/archipelago or /tmp)")
	flags.StringVar(&opts.group, "group", "", "group that may join, by name or number (default none)")
	return cmd
}

func create(cmd *cobra.Command, app *cli.App, text string, opts *createOptions) error {
	spec, err := xseg.ParseSpec(text)
	if err != nil {
		return err
	}
	group, err := groupID(opts.group)
	if err != nil {
		return err
	}
	dir := opts.runtimeDir
	if dir == "" {
		dir = defaultRuntimeDir(spec.Name)
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
