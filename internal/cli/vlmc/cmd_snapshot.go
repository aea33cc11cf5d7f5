package vlmc

import (
	"context"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

func newSnapshotCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "snapshot NAME SNAPSHOT",
		Short: "Make a snapshot of a volume",
		Long: "Make SNAPSHOT: the volume NAME as it is now, for ever. It is read like a volume, and\n" +
			"takes no room until the volume changes.",
		Args: cli.Args("NAME", "SNAPSHOT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				info, err := c.Snapshot(ctx, args[0], args[1])
				if err != nil {
					return err
				}
				return made(cmd, app, info, "Snapshot name: "+args[1])
			})
		},
	}
}
