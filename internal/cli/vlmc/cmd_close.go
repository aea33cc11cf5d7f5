package vlmc

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

func newCloseCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "close NAME",
		Short: "Close a volume on this node",
		Long: "Close the volume NAME: make everything that was written to it durable, and give its lock\n" +
			"back. Reads and writes that are under way end first; the next one opens the volume again.\n" +
			"Closing what isn't open on this node is a success.",
		Example: "  vlmc close web",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				// Closing forgives a name that isn't there; a slip of the keyboard should be told.
				if _, err := c.Info(ctx, args[0]); err != nil {
					return err
				}
				if err := c.CloseVolume(ctx, args[0]); err != nil {
					return err
				}
				return said(cmd, app, args[0], "Volume closed")
			})
		},
	}
}

func newUnlockCommand(app *cli.App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "unlock NAME [-f]",
		Short: "Give the lock of a volume back",
		Long: "Give the lock of the volume NAME back. If this node holds it, the volume is closed first, as\n" +
			"by vlmc close. The lock of another node is left alone, unless -f is given: then it is\n" +
			"broken.\n\n" +
			"Break a lock only if its owner is switched off for good, or is this machine under a former\n" +
			"node_name. The owner isn't asked, isn't told, and isn't kept from writing: if it still runs\n" +
			"and another node writes to the volume too, the volume is destroyed. What the owner had\n" +
			"acknowledged but not made durable by a flush, it alone may know; of that, breaking the lock\n" +
			"loses what isn't stored yet.",
		Example: "  vlmc unlock web\n  vlmc unlock -f web",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				return unlock(ctx, cmd, app, c, args[0], force)
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "break the lock of another node")
	return cmd
}

func unlock(ctx context.Context, cmd *cobra.Command, app *cli.App, c *volume.Client, name string, force bool) error {
	before, err := c.Info(ctx, name)
	if err != nil {
		return err
	}
	if err := c.Release(ctx, name, force); err != nil {
		return err
	}
	if force && before.Owner != "" && !isOpen(before) {
		fmt.Fprintf(cmd.ErrOrStderr(), "vlmc: the lock of node %s was broken; that node must not use the volume any more\n",
			before.Owner)
	}
	return said(cmd, app, name, "Volume unlocked")
}

// said prints the documented line of a command that has nothing to describe.
func said(cmd *cobra.Command, app *cli.App, name, line string) error {
	return app.Print(cmd, func(p *cli.Printer) error {
		if p.JSON() {
			p.Object(struct {
				Name string `json:"name"`
			}{name})
		} else {
			p.Linef("%s", line)
		}
		return nil
	})
}
