package vlmc

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

func newExportCommand(app *cli.App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "export NAME FILE",
		Short: "Write the content of a volume to a file",
		Long: "Write the content of the volume or snapshot NAME to FILE as a raw image: a new file (zeros\n" +
			"become holes), a block device, or - for standard output. A volume that is written to\n" +
			"meanwhile gives a mixture: export a snapshot of it.",
		Example: "  vlmc export web-monday web.img\n  vlmc export web-monday - | gzip >web.img.gz",
		Args:    cli.Args("NAME", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				return export(ctx, cmd, c, args[0], args[1], force)
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "overwrite FILE")
	return cmd
}

func export(ctx context.Context, cmd *cobra.Command, c *volume.Client, name, path string, force bool) error {
	v, err := c.Open(ctx, name)
	if err != nil {
		return err
	}
	defer leaveAsFound(ctx, c, v)
	size := v.Info().Size
	out, err := openSink(path, size, force)
	if err != nil {
		return err
	}
	bar := cli.NewProgress(cmd.ErrOrStderr(), "export", size)
	err = copyOut(ctx, v, size, out.write, bar)
	bar.End()
	if err != nil {
		return errors.Join(fmt.Errorf("export %s: %w", name, err), out.abandon())
	}
	if err := out.finish(); err != nil {
		return fmt.Errorf("export %s: %w", name, err)
	}
	return nil
}
