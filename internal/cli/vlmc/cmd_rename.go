package vlmc

import (
	"context"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

func newRenameCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:     "rename NAME NEWNAME",
		Aliases: []string{"mv"},
		Short:   "Give a volume or a snapshot another name",
		Long: "Give the volume or snapshot NAME the name NEWNAME, which must be free. Who uses it\n" +
			"meanwhile goes on. One that is mapped on this machine is refused.",
		Example: "  vlmc rename web www",
		Args:    cli.Args("NAME", "NEWNAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				if err := refuseMapped(app, args[0]); err != nil {
					return err
				}
				info, err := c.Rename(ctx, args[0], args[1])
				if err != nil {
					return err
				}
				return made(cmd, app, info, "Renamed "+args[0]+" to "+args[1])
			})
		},
	}
}
