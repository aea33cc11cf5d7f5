package vlmc

import (
	"github.com/spf13/cobra"

	"archipelago/internal/cli"
)

func newCloneCommand(app *cli.App) *cobra.Command {
	var size cli.Size
	cmd := &cobra.Command{
		Use:   "clone SNAPSHOT NAME [-s SIZE]",
		Short: "Create a volume that begins as a snapshot is",
		Long: "Create the volume NAME with the content of SNAPSHOT, and its size unless a larger one\n" +
			"is given. The same as create NAME --snap SNAPSHOT.",
		Example: "  vlmc clone web-monday test\n  vlmc clone web-monday large -s 20G",
		Args:    cli.Args("SNAPSHOT", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return create(cmd, app, args[1], &createOptions{snap: args[0], size: size})
		},
	}
	cmd.Flags().VarP(&size, "size", "s", "size of the volume")
	return cmd
}
