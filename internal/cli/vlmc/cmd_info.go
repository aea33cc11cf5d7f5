package vlmc

import (
	"context"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

func newInfoCommand(app *cli.App) *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:     "info NAME",
		Short:   "Describe a volume or a snapshot",
		Long:    "Print the size of the volume or snapshot NAME in bytes; with -v or --json all about it.",
		Example: "  vlmc info web\n  vlmc info web --json",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				info, err := c.Info(ctx, args[0])
				if err != nil {
					return err
				}
				return app.Print(cmd, func(p *cli.Printer) error {
					d := describe(info)
					if p.JSON() {
						p.Object(d)
						return nil
					}
					p.Linef("Volume %s: size: %d", d.Name, d.Size)
					if verbose {
						d.details(p)
					}
					return nil
				})
			})
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "print all about it")
	return cmd
}
