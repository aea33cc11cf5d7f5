package xseg

import (
	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/xseg"
)

func newDestroyCommand(app *cli.App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "destroy [NAME]",
		Short: "Remove a segment",
		Long: "Remove a segment and the sockets of its ports. Refused (12) while a port is bound.\n\n" +
			"With --force it goes all the same: peers that have it joined keep the memory, but can't\n" +
			"bind or connect in it any more, and nobody new can join.",
		Example: "  xseg destroy test",
		Args:    argsThenName(),
		RunE: func(_ *cobra.Command, args []string) error {
			name, err := segmentName(app, args)
			if err != nil {
				return err
			}
			return xseg.Destroy(name, force)
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "also while ports are bound")
	return cmd
}
