package xseg

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/xseg"
)

// New returns the root command of xseg.
func New() *cobra.Command {
	root, app := cli.NewRoot("xseg", "Debug the shared-memory segment of a node",
		"Debug the shared-memory segment in which the peers of a node meet.\n\n"+
			"The segment is the one NAMEd, or that of the node of -d or -c.")
	root.AddCommand(
		newCreateCommand(app), newDestroyCommand(app), newReportCommand(app),
		newPingCommand(app), newWatchCommand(app),
	)
	return root
}

// argsThenName makes a check that a command gets the arguments named, and perhaps NAME after them.
func argsThenName(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if n := len(args) - len(names); n == 0 || n == 1 {
			return nil
		}
		want := strings.Join(append(names, "[NAME]"), " ")
		return cli.Usagef("%s takes %s; %d arguments were given", cmd.CommandPath(), want, len(args))
	}
}

// segmentName returns the name that was given, or else that of the node which the flags or the
// environment name.
func segmentName(app *cli.App, given []string) (string, error) {
	if len(given) > 0 {
		if app.Dir != "" || app.File != "" {
			return "", cli.Usagef("the segment %s and -d or -c exclude each other", given[0])
		}
		return given[0], nil
	}
	cfg, err := app.Config()
	if err != nil {
		return "", err
	}
	return cfg.SegmentName, nil
}

// onSegment runs f on the segment named.
func onSegment(app *cli.App, given []string, f func(*xseg.Segment) error) error {
	name, err := segmentName(app, given)
	if err != nil {
		return err
	}
	s, err := xseg.Join(name)
	if err != nil {
		return err
	}
	if err := f(s); err != nil {
		_ = s.Leave() // reading has failed already
		return fmt.Errorf("segment %s: %w", name, err)
	}
	return s.Leave()
}
