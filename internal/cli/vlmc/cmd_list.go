package vlmc

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/mapfmt"
	"archipelago/internal/volume"
	"archipelago/peers/mapper"
)

type listOptions struct {
	long  bool
	after string
	limit int
}

func newListCommand(app *cli.App) *cobra.Command {
	var opts listOptions
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List volumes and snapshots",
		Long: "Print the names of all volumes and snapshots, one per line, in byte order. A long list is\n" +
			"read in pages: --limit ends it, and --after goes on behind the last name.",
		Example: "  vlmc list\n  vlmc list -l --after web --limit 100",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.limit < 0 {
				return cli.Usagef("--limit %d is negative", opts.limit)
			}
			if len(opts.after) > mapfmt.VolumeNameMax {
				return cli.Usagef("--after takes a name of at most %d bytes", mapfmt.VolumeNameMax)
			}
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				return app.Print(cmd, func(p *cli.Printer) error {
					if opts.long {
						return listLong(ctx, cmd, c, p, &opts)
					}
					return listNames(ctx, c, p, &opts)
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&opts.long, "long", "l", false, "print kind, sizes and date of each, too")
	flags.StringVar(&opts.after, "after", "", "begin behind this name, which need not exist")
	flags.IntVar(&opts.limit, "limit", 0, "print so many at most (default: all)")
	return cmd
}

// errEnough ends a list at its limit.
var errEnough = errors.New("enough")

// each calls f for the names that are asked for.
func (o *listOptions) each(ctx context.Context, c *volume.Client, f func(name string) error) error {
	n := 0
	err := c.ListAfter(ctx, o.after, func(name string) error {
		if o.limit > 0 && n == o.limit {
			return errEnough
		}
		n++
		return f(name)
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func listNames(ctx context.Context, c *volume.Client, p *cli.Printer, opts *listOptions) error {
	return opts.each(ctx, c, func(name string) error {
		if p.JSON() {
			p.Object(struct {
				Name string `json:"name"`
			}{name})
		} else {
			p.Linef("%s", name)
		}
		return nil
	})
}

const longRow = "%-8s  %10s  %8s  %-20s  %s"

// listLong asks for each volume. One that can't be described (its record doesn't check, say) is
// reported and the rest is listed all the same: then the list is done partly.
func listLong(ctx context.Context, cmd *cobra.Command, c *volume.Client, p *cli.Printer, opts *listOptions) error {
	if !p.JSON() {
		p.Linef(longRow, "KIND", "SIZE", "OBJECTS", "CREATED", "NAME")
	}
	rep := partly{cmd: cmd}
	return rep.end(opts.each(ctx, c, func(name string) error {
		info, err := c.Info(ctx, name)
		switch {
		case err == nil:
			listRow(p, describe(info))
		case errors.Is(err, mapper.ErrNotFound): // removed meanwhile
			return nil
		}
		return rep.note(ctx, err)
	}))
}

func listRow(p *cli.Printer, d description) {
	if p.JSON() {
		p.Object(d)
		return
	}
	p.Linef(longRow, d.Kind, cli.FormatSize(d.Size), cli.FormatSize(d.ObjectSize), d.Created, d.Name)
}
