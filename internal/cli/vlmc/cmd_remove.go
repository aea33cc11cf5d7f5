package vlmc

import (
	"context"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

func newRemoveCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME",
		Aliases: []string{"rm"},
		Short:   "Remove a volume or a snapshot",
		Long: "Remove the volume or snapshot NAME. It is gone at once; volumes that were made from it\n" +
			"stay whole. One that is mapped on this machine is refused.",
		Example: "  vlmc remove test",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				if err := refuseMapped(app, args[0]); err != nil {
					return err
				}
				return c.Remove(ctx, args[0])
			})
		},
	}
}
