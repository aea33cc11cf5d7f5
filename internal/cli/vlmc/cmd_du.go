package vlmc

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/mapfmt"
	"archipelago/internal/volume"
	"archipelago/peers/mapper"
)

// usage is what --json prints of what a volume takes. The names of the fields are documented.
type usage struct {
	Name      string `json:"name"`
	Size      int64  `json:"size"`      // bytes
	Allocated int64  `json:"allocated"` // bytes
	Exclusive int64  `json:"exclusive"` // bytes
	Shared    int64  `json:"shared"`    // bytes
	Objects   int64  `json:"objects"`
}

func newDuCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "du [NAME...]",
		Short: "Show how much room volumes take",
		Long: "Print how many bytes each volume or snapshot NAME (default: all) refers to: EXCLUSIVE is\n" +
			"what no other can refer to, SHARED is what snapshots, clones or origins may refer to as\n" +
			"well. Parts that were never written may be counted; the storage knows them as holes.",
		Example: "  vlmc du\n  vlmc du web web-monday --json",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				bar := newBar(cmd, "du")
				defer bar.End()
				return app.Print(cmd, func(p *cli.Printer) error { return du(ctx, cmd, c, p, bar, args) })
			})
		},
	}
}

const duRow = "%10s  %10s  %10s  %10s  %s"

func du(ctx context.Context, cmd *cobra.Command, c *volume.Client, p *cli.Printer, bar *cli.Progress, names []string) error {
	for _, name := range names {
		if err := mapfmt.CheckVolumeName(name); err != nil {
			return err
		}
	}
	if !p.JSON() {
		p.Linef(duRow, "SIZE", "ALLOCATED", "EXCLUSIVE", "SHARED", "NAME")
	}
	if len(names) == 1 {
		return duOne(ctx, c, p, bar, names[0])
	}
	rep := partly{cmd: cmd}
	one := func(name string) error {
		err := duOne(ctx, c, p, bar, name)
		if len(names) == 0 && errors.Is(err, mapper.ErrNotFound) {
			return nil // removed meanwhile
		}
		return rep.note(ctx, err)
	}
	if len(names) == 0 {
		return rep.end(c.List(ctx, one))
	}
	for _, name := range names {
		if err := one(name); err != nil {
			return err
		}
	}
	return rep.end(nil)
}

func duOne(ctx context.Context, c *volume.Client, p *cli.Printer, bar *cli.Progress, name string) error {
	info, err := c.Info(ctx, name)
	if err != nil {
		return err
	}
	u, err := c.Usage(ctx, name)
	if err != nil {
		return err
	}
	bar.Add(info.Size)
	if p.JSON() {
		p.Object(usage{name, info.Size, u.Allocated, u.Exclusive, u.Shared, u.Objects})
		return nil
	}
	p.Linef(duRow, cli.FormatSize(info.Size), cli.FormatSize(u.Allocated), cli.FormatSize(u.Exclusive),
		cli.FormatSize(u.Shared), name)
	return nil
}

// newBar begins to show how many bytes of volumes a command has gone through. What it prints to a
// terminal ends the bar.
func newBar(cmd *cobra.Command, label string) *cli.Progress {
	bar := cli.NewProgress(cmd.ErrOrStderr(), label, 0)
	cmd.SetOut(bar.Before(cmd.OutOrStdout()))
	cmd.SetErr(bar.Before(cmd.ErrOrStderr()))
	return bar
}

// partly gathers the failures of a command that goes on after one.
type partly struct {
	cmd    *cobra.Command
	failed int
}

// note reports err and forgets it; it returns what must end the command.
func (r *partly) note(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	r.failed++
	fmt.Fprintf(r.cmd.ErrOrStderr(), "vlmc: %v\n", err)
	return nil
}

// end is the outcome of the command.
func (r *partly) end(err error) error {
	if err == nil && r.failed > 0 {
		err = &cli.CodeError{Code: cli.ExitPartly, Err: fmt.Errorf("%d volumes could not be described", r.failed)}
	}
	return err
}
