// Package archipelago is the command line that runs a node and looks at it. One file per command.
package archipelago

import (
	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/node"
)

// New returns the root command of archipelago. roles says what serves each type of role in this
// process (`run --in-process`); nil for a program that only shows the commands.
func New(roles map[string]node.Serve) *cobra.Command {
	root, app := cli.NewRoot("archipelago", "Run an Archipelago node and look at it",
		"Run an Archipelago node, look at its state, and check its configuration.")
	root.AddCommand(newRunCommand(app, roles), newStartCommand(app), newStopCommand(app), newRestartCommand(app),
		newStatusCommand(app), newTopCommand(app), newMetricsCommand(app), newDoctorCommand(app), newConfigCommand(app))
	return root
}
