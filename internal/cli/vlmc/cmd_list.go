package vlmc

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
	"archipelago/peers/mapper"
)

func newListCommand(app *cli.App) *cobra.Command {
	var long bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List volumes and snapshots",
		Long:    "Print the names of all volumes and snapshots, one per line, in byte order.",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				return app.Print(cmd, func(p *cli.Printer) error {
					if long {
						return listLong(ctx, cmd, c, p)
					}
					return listNames(ctx, c, p)
				})
			})
		},
	}
	cmd.Flags().BoolVarP(&long, "long", "l", false, "print kind, sizes and date of each, too")
	return cmd
}

func listNames(ctx context.Context, c *volume.Client, p *cli.Printer) error {
	return c.List(ctx, func(name string) error {
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
func listLong(ctx context.Context, cmd *cobra.Command, c *volume.Client, p *cli.Printer) error {
	if !p.JSON() {
		p.Linef(longRow, "KIND", "SIZE", "OBJECTS", "CREATED", "NAME")
	}
	failed := 0
	err := c.List(ctx, func(name string) error {
		info, err := c.Info(ctx, name)
		switch {
		case err == nil:
			listRow(p, describe(info))
		case errors.Is(err, mapper.ErrNotFound): // removed meanwhile
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			failed++
			fmt.Fprintf(cmd.ErrOrStderr(), "vlmc: %v\n", err)
		}
		return nil
	})
	if err == nil && failed > 0 {
		err = &cli.CodeError{Code: cli.ExitPartly, Err: fmt.Errorf("%d volumes could not be described", failed)}
	}
	return err
}

func listRow(p *cli.Printer, d description) {
	if p.JSON() {
		p.Object(d)
		return
	}
	p.Linef(longRow, d.Kind, cli.FormatSize(d.Size), cli.FormatSize(d.ObjectSize), d.Created, d.Name)
}
