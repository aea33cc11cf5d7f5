package vlmc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/mapfmt"
	"archipelago/internal/volume"
	"archipelago/peers/mapper"
)

// New returns the root command of vlmc.
func New() *cobra.Command {
	root, app := cli.NewRoot("vlmc", "Manage the volumes of an Archipelago node",
		"Manage the volumes of an Archipelago node. The node must be running.\n\n"+
			"A SIZE is a whole number of MiB, or one with a unit: B, K, M, G, T, P (or KiB, MiB, …).")
	// Scripts written for rbd give a pool; it means nothing here.
	root.PersistentFlags().StringP("pool", "p", "", "ignored")
	root.PersistentFlags().Lookup("pool").Hidden = true
	root.AddCommand(
		newCreateCommand(app), newSnapshotCommand(app), newCloneCommand(app), newListCommand(app),
		newInfoCommand(app), newRemoveCommand(app), newImportCommand(app), newExportCommand(app),
		newRenameCommand(app), newRollbackCommand(app), newResizeCommand(app), newFlattenCommand(app),
		newDuCommand(app), newDiffCommand(app), newMapinfoCommand(app),
		newCheckCommand(app), newMapCommand(app), newUnmapCommand(app), newShowmappedCommand(app),
		newOpenCommand(app), newCloseCommand(app), newLockCommand(app), newUnlockCommand(app),
		newTraceCommand(app),
	)
	completeNames(root, app)
	return root
}

// recoverySeconds is how long a command waits for a peer that has died: far longer than any restart
// takes, but not for ever where the whole node has ended.
const recoverySeconds = 60

// onNode runs f as a client of the node that the flags name.
func onNode(cmd *cobra.Command, app *cli.App, f func(context.Context, *volume.Client) error) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	ctx, stop := withNode(cmd.Context(), cfg)
	defer stop()
	c, err := volume.Dial(ctx, cfg, volume.Options{Role: "vlmc", RecoverySeconds: recoverySeconds})
	if err != nil {
		return err
	}
	return errors.Join(endedError(ctx, explainLock(f(ctx, c))), c.Close())
}

// leaveAsFound closes a volume that this node hadn't open before the command read or wrote it: its
// lock must not keep another node waiting. It does its best; what fails is left as after any I/O.
func leaveAsFound(ctx context.Context, c *volume.Client, v *volume.Volume) {
	if isOpen(v.Info()) || v.Info().Flags&uint32(mapfmt.FlagReadOnly) != 0 {
		return
	}
	if hasEnded(ctx) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	_ = c.CloseVolume(ctx, v.Info().Name)
}

// explainLock adds to the error of a lock that another node holds what can be done.
func explainLock(err error) error {
	if !errors.Is(err, mapper.ErrBusy) || !strings.Contains(err.Error(), "locked by") {
		return err
	}
	return fmt.Errorf("%w\nclose it there; if that node is gone for good, or is this machine under a former "+
		"node_name, break the lock: vlmc unlock -f", err)
}
