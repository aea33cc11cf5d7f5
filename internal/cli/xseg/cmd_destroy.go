package xseg

import (
	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/xseg"
)

func newDestroyCommand(_ *cli.App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "destroy NAME",
		Short: "Remove a segment",
		Long: "Remove the segment NAME and the sockets of its ports. Refused (12) while a port is bound.\n\n" +
			"With --force it goes all the same: peers that have it joined keep the memory, but can't\n" +
			"bind or connect in it any more, and nobody new can join.",
		Args: cli.Args("NAME"),
		RunE: func(_ *cobra.Command, args []string) error { return xseg.Destroy(args[0], force) },
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "also while ports are bound")
	return cmd
}
