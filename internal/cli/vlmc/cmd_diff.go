package vlmc

import (
	"context"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
	"archipelago/peers/mapper"
)

func newDiffCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "diff OTHER NAME",
		Short: "Show where a volume differs from another one",
		Long: "Print the ranges in which the volume or snapshot NAME may differ from OTHER, in bytes, in\n" +
			"order: where it has data, and where it reads as zeros. What both share isn't read for that.\n" +
			"Of a volume that is written to meanwhile a snapshot should be compared.",
		Example: "  vlmc diff web-monday web",
		Args:    cli.Args("OTHER", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				bar := newBar(cmd, "diff")
				defer bar.End()
				return app.Print(cmd, func(p *cli.Printer) error { return diff(ctx, c, p, bar, args[1], args[0]) })
			})
		},
	}
}

const diffRow = "%16v  %16v  %s"

func diff(ctx context.Context, c *volume.Client, p *cli.Printer, bar *cli.Progress, name, other string) error {
	if !p.JSON() {
		p.Linef(diffRow, "OFFSET", "LENGTH", "KIND")
	}
	row := func(r mapper.Range) {
		if p.JSON() {
			p.Object(struct {
				Offset int64  `json:"offset"`
				Length int64  `json:"length"`
				Kind   string `json:"kind"`
			}{r.Offset, r.Length, kindOf(r.Kind)})
		} else if r.Length > 0 {
			p.Linef(diffRow, r.Offset, r.Length, kindOf(r.Kind))
		}
	}
	var last mapper.Range
	seen := int64(0)
	err := c.Diff(ctx, name, other, func(r mapper.Range) error {
		bar.Add(r.Offset + r.Length - seen)
		seen = r.Offset + r.Length
		if last.Length > 0 && r.Kind == last.Kind && r.Offset == last.Offset+last.Length {
			last.Length += r.Length // a page ended inside it
			return nil
		}
		if last.Length > 0 {
			row(last)
		}
		last = r
		return nil
	})
	if err == nil && last.Length > 0 {
		row(last)
	}
	return err
}

func kindOf(k mapper.RangeKind) string {
	if k == mapper.RangeZero {
		return "zero"
	}
	return "data"
}
