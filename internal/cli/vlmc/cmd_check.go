package vlmc

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"archipelago/internal/audit"
	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

func newCheckCommand(app *cli.App) *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "check [--repair]",
		Short: "Check the whole store",
		Long: "Look at every record, chunk, tombstone, lock and object of the node's store, and print what\n" +
			"is wrong, one finding per line, and a summary. Volumes may be used meanwhile. The node must\n" +
			"be running: the check goes through its blockers.\n\n" +
			"A finding begins with what it is: loss (something that a volume needs isn't there), corrupt\n" +
			"(something can't be read, or can't be as it is), half-done (an operation was interrupted;\n" +
			"what finishes it is said) or orphan (it takes room and nothing names it). With --repair what\n" +
			"can be removed without any risk is removed: tombstones that a newer one replaces, and\n" +
			"decisions about groups of snapshots that all members have heard of. Nothing else changes.\n\n" +
			"The exit status is 14 if something is lost or corrupt, else 3 if the check couldn't go\n" +
			"through the whole store (130 if it was interrupted), else 0: orphans and what is half-done\n" +
			"do no harm.",
		Example: "  vlmc check\n  vlmc check --repair --json",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				return app.Print(cmd, func(p *cli.Printer) error { return check(ctx, cmd, c, p, repair) })
			})
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "remove what can be removed without any risk")
	return cmd
}

func check(ctx context.Context, cmd *cobra.Command, c *volume.Client, p *cli.Printer, repair bool) error {
	view := checkView{p: p, bar: newCheckBar(cmd.ErrOrStderr(), cmd.OutOrStdout())}
	sum, err := c.Check(ctx, audit.Options{Repair: repair, Report: view.finding, Progress: view.bar.show})
	view.bar.end()
	if sum.Passes == 0 && sum.Volumes == 0 && err != nil {
		return err // it never began
	}
	view.summary(&sum, err == nil)
	return view.outcome(ctx, err)
}

// outcome is the error of the command. Damage says most, whatever else happened.
func (v *checkView) outcome(ctx context.Context, err error) error {
	bad := v.count[audit.Loss] + v.count[audit.Corrupt]
	switch {
	case bad > 0:
		err = errors.Join(fmt.Errorf("the store is damaged: %d lost, %d corrupt",
			v.count[audit.Loss], v.count[audit.Corrupt]), err)
		return &cli.CodeError{Code: cli.ExitCorrupt, Err: err}
	case err == nil || ctx.Err() != nil:
		return err
	}
	return &cli.CodeError{Code: cli.ExitPartly, Err: fmt.Errorf("only a part was checked: %w", err)}
}
