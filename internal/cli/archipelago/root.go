// Package archipelago is the command line that runs a node and looks at it. One file per command.
package archipelago

import (
	"github.com/spf13/cobra"

	"archipelago/internal/cli"
)

// New returns the root command of archipelago.
func New() *cobra.Command {
	root, app := cli.NewRoot("archipelago", "Run an Archipelago node and look at it",
		"Run an Archipelago node, look at its state, and check its configuration.")
	root.AddCommand(newRunCommand(app), newStartCommand(app), newStopCommand(app), newRestartCommand(app),
		newStatusCommand(app), newTopCommand(app), newMetricsCommand(app), newDoctorCommand(app), newConfigCommand(app))
	return root
}
