package vlmc

import (
	"context"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

func newOpenCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "open NAME",
		Short: "Open a volume on this node",
		Long: "Open the volume NAME: take its lock for this node, so that no other node can write to it\n" +
			"until it is closed here. Opening what is open on this node already is a success. The first\n" +
			"read or write opens a volume by itself.",
		Example: "  vlmc open web",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return acquire(cmd, app, args[0], "Volume opened")
		},
	}
}

func newLockCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "lock NAME",
		Short: "Lock a volume for this node",
		Long: "Take the lock of the volume NAME for this node, without waiting. Locking what this node has\n" +
			"locked already is a success. The lock belongs to the node, not to a process: it outlives\n" +
			"every crash, and stays until unlock, close or an orderly stop of the node.",
		Example: "  vlmc lock web",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return acquire(cmd, app, args[0], "Volume locked")
		},
	}
}

func acquire(cmd *cobra.Command, app *cli.App, name, line string) error {
	return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
		info, err := c.Acquire(ctx, name)
		if err != nil {
			return err
		}
		return made(cmd, app, info, line)
	})
}
