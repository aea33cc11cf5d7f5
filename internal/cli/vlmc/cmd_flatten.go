package vlmc

import (
	"context"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

func newFlattenCommand(app *cli.App) *cobra.Command {
	var rate cli.Size
	cmd := &cobra.Command{
		Use:   "flatten NAME",
		Short: "Make a volume independent of what it was made from",
		Long: "Copy what the volume NAME shares with its origin, so that reading it needs nothing else.\n" +
			"The volume may be used meanwhile. The command may be ended at any time; when it is run\n" +
			"again it copies the rest. What the volume shares with its own snapshots stays shared.",
		Example: "  vlmc flatten test\n  vlmc flatten test --rate 50M",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				return flatten(ctx, cmd, app, c, args[0], int64(rate))
			})
		},
	}
	cmd.Flags().Var(&rate, "rate", "bytes to copy per second at most (default: no limit)")
	return cmd
}

func flatten(ctx context.Context, cmd *cobra.Command, app *cli.App, c *volume.Client, name string, rate int64) error {
	v, err := c.Open(ctx, name)
	if err != nil {
		return err
	}
	defer leaveAsFound(ctx, c, v)
	// I/O would wait for another node to free the lock; a command says that it is taken.
	if _, err := c.Acquire(ctx, name); err != nil {
		return err
	}
	bar := cli.NewProgress(cmd.ErrOrStderr(), "flatten", v.Info().Size)
	copied, err := v.Flatten(ctx, volume.FlattenOptions{
		BytesPerSecond: rate,
		Progress:       func(done, _ int64) { bar.Add(done) },
	})
	bar.End()
	if err == nil {
		// What was copied is of use only when it outlives a power cut: its origin may go next.
		err = v.Flush(ctx)
	}
	if err != nil {
		return err
	}
	return app.Print(cmd, func(p *cli.Printer) error {
		if p.JSON() {
			p.Object(struct {
				Name   string `json:"name"`
				Copied int64  `json:"copied"` // bytes
			}{name, copied})
		} else {
			p.Linef("Copied: %s", cli.FormatSize(copied))
		}
		return nil
	})
}
