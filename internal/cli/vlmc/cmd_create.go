package vlmc

import (
	"context"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
	"archipelago/peers/mapper"
)

type createOptions struct {
	size, objectSize cli.Size
	snap             string
}

func newCreateCommand(app *cli.App) *cobra.Command {
	var opts createOptions
	cmd := &cobra.Command{
		Use:   "create NAME {-s SIZE | --snap SNAPSHOT}",
		Short: "Create a volume",
		Long: "Create a volume: a blank one of SIZE, or one that begins as SNAPSHOT is.\n" +
			"A volume made from a snapshot has its size unless a larger SIZE is given.",
		Example: "  vlmc create web -s 10G\n  vlmc create test --snap web-monday",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return create(cmd, app, args[0], &opts)
		},
	}
	flags := cmd.Flags()
	flags.VarP(&opts.size, "size", "s", "size of the volume")
	flags.StringVar(&opts.snap, "snap", "", "snapshot to begin with")
	flags.Var(&opts.objectSize, "object-size", "size of the objects of a blank volume: a power of two "+
		"from 64K to 64M (default 4M)")
	return cmd
}

func create(cmd *cobra.Command, app *cli.App, name string, opts *createOptions) error {
	switch {
	case opts.size == 0 && opts.snap == "":
		return cli.Usagef("at least one of --size and --snap must be given")
	case opts.snap != "" && opts.objectSize != 0:
		return cli.Usagef("--object-size is that of the snapshot: it can't be given with --snap")
	}
	return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
		var info mapper.Info
		var err error
		if opts.snap != "" {
			info, err = c.Clone(ctx, name, opts.snap, int64(opts.size))
		} else {
			info, err = c.Create(ctx, name, int64(opts.size), int64(opts.objectSize))
		}
		if err != nil {
			return err
		}
		return made(cmd, app, info, "")
	})
}

// made prints what a command has made: the documented line, if it has one, or the description.
func made(cmd *cobra.Command, app *cli.App, info mapper.Info, line string) error {
	return app.Print(cmd, func(p *cli.Printer) error {
		switch {
		case p.JSON():
			p.Object(describe(info))
		case line != "":
			p.Linef("%s", line)
		}
		return nil
	})
}
