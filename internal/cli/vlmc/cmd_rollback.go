package vlmc

import (
	"context"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

func newRollbackCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "rollback NAME SNAPSHOT",
		Short: "Make a volume as a snapshot is",
		Long: "Give the volume NAME the content and the size of SNAPSHOT, at once. What was written to\n" +
			"the volume since is lost, unless a snapshot of it was made. Nobody should have the volume\n" +
			"mounted meanwhile: its content changes under whoever does.",
		Example: "  vlmc rollback web web-monday",
		Args:    cli.Args("NAME", "SNAPSHOT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				info, err := c.Rollback(ctx, args[0], args[1])
				if err != nil {
					return err
				}
				return made(cmd, app, info, "")
			})
		},
	}
}
