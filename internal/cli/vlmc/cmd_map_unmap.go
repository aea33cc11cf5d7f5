package vlmc

import (
	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/device"
)

func newUnmapCommand(app *cli.App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "unmap DEVICE|NAME",
		Short: "End the device of a mapped volume",
		Long: "End the device DEVICE, or that of the volume NAME. A device that is in use is refused, and who\n" +
			"uses it is told; with --force its users get errors. The node need not run.",
		Example: "  vlmc unmap web",
		Args:    cli.Args("DEVICE|NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := app.Config()
			if err != nil {
				return err
			}
			return device.Unmap(cmd.Context(), cfg, args[0], device.UnmapOptions{
				Force:    force,
				StopUnit: func(unit string) error { return stopUnit(cmd.Context(), unit) },
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "end it even if it is in use")
	return cmd
}

func newShowmappedCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "showmapped",
		Short: "List mapped volumes",
		Long: "Print a table of the volumes that are mapped on this machine: the number of the device, the\n" +
			"name of the volume and the path of the device, with tabs between. The node need not run.",
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := app.Config()
			if err != nil {
				return err
			}
			return listMapped(cmd, app, cfg)
		},
	}
}
