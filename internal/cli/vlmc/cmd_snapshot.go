package vlmc

import (
	"context"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
	"archipelago/peers/mapper"
)

func newSnapshotCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "snapshot NAME SNAPSHOT [NAME SNAPSHOT]...",
		Short: "Make a snapshot of a volume, or of several at one point in time",
		Long: "Make SNAPSHOT: the volume NAME as it is now, for ever. It is read like a volume, and\n" +
			"takes no room until the volume changes. Of several pairs all snapshots show the same point\n" +
			"in time, and all are made or none.",
		Example: "  vlmc snapshot web web-monday\n  vlmc snapshot db db-1 log log-1",
		Args:    pairs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				infos, err := snapshot(ctx, c, args)
				if err != nil {
					return err
				}
				for _, info := range infos {
					if err := made(cmd, app, info, "Snapshot name: "+info.Name); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// pairs checks that there are a volume and a snapshot, once or several times.
func pairs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || len(args)%2 != 0 {
		return cli.Usagef("%s takes pairs of NAME SNAPSHOT; %d arguments were given", cmd.CommandPath(), len(args))
	}
	return nil
}

func snapshot(ctx context.Context, c *volume.Client, args []string) ([]mapper.Info, error) {
	if len(args) == 2 {
		info, err := c.Snapshot(ctx, args[0], args[1])
		return []mapper.Info{info}, err
	}
	var members []volume.Member
	for i := 0; i < len(args); i += 2 {
		members = append(members, volume.Member{Volume: args[i], Snapshot: args[i+1]})
	}
	return c.SnapshotGroup(ctx, members)
}
