package vlmc

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

type resizeOptions struct {
	size   cli.Size
	shrink bool
}

func newResizeCommand(app *cli.App) *cobra.Command {
	var opts resizeOptions
	cmd := &cobra.Command{
		Use:   "resize NAME -s SIZE",
		Short: "Give a volume another size",
		Long: "Give the volume NAME the size SIZE. What a larger one adds reads as zeros. What a smaller\n" +
			"one cuts off is lost, so that needs --shrink.",
		Example: "  vlmc resize web -s 20G\n  vlmc resize web -s 5G --shrink",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.size == 0 {
				return cli.Usagef("--size must be given")
			}
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				return resize(ctx, cmd, app, c, args[0], &opts)
			})
		},
	}
	cmd.Flags().VarP(&opts.size, "size", "s", "new size of the volume")
	cmd.Flags().BoolVar(&opts.shrink, "shrink", false, "allow a smaller size")
	return cmd
}

func resize(ctx context.Context, cmd *cobra.Command, app *cli.App, c *volume.Client, name string, opts *resizeOptions) error {
	size := int64(opts.size)
	if !opts.shrink {
		// Somebody may resize it in between: this only keeps a slip of the keyboard from losing data.
		info, err := c.Info(ctx, name)
		if err != nil {
			return err
		}
		if size < info.Size {
			return &cli.UsageError{Err: fmt.Errorf("volume %s has %s: --shrink must be given to cut it to %s",
				name, cli.FormatSize(info.Size), cli.FormatSize(size))}
		}
	}
	info, err := c.Resize(ctx, name, size)
	if err != nil {
		return err
	}
	if err := resizeDevice(app, name, info.Size); err != nil {
		return err
	}
	return made(cmd, app, info, "")
}
